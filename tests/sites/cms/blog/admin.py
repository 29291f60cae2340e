from django.contrib import admin

from tests.sites.cms.blog.models import Announcement, Author, Subscriber, Topic

admin.site.register([Author, Subscriber, Topic])


@admin.register(Announcement)
class AnnouncementAdmin(admin.ModelAdmin):
    list_display = ["text", "publish_at"]
