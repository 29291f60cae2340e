from django import template
from django.db.models import QuerySet

from tests.sites.cms.blog.models import MenuItem

register = template.Library()


@register.simple_tag
def menu_items() -> QuerySet[MenuItem]:
    return MenuItem.objects.all()
