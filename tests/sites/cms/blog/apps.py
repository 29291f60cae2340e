from django.apps import AppConfig


class BlogConfig(AppConfig):
    name = "tests.sites.cms.blog"
    label = "blog"
