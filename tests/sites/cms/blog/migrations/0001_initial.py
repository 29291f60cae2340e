"""The blog's tables, after any release of Wagtail from 7.0 on."""

import django.db.models.deletion
import modelcluster.fields
import wagtail.fields
from django.db import migrations, models

PAGE = models.OneToOneField(
    auto_created=True,
    on_delete=django.db.models.deletion.CASCADE,
    parent_link=True,
    primary_key=True,
    serialize=False,
    to="wagtailcore.page",
)


def key() -> models.Field:
    return models.BigAutoField(
        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
    )


def owned(to: str, **kwargs: object) -> models.Field:
    return models.ForeignKey(
        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=to, **kwargs
    )


class Migration(migrations.Migration):
    initial = True
    dependencies = [
        ("wagtailcore", "0094_alter_page_locale"),
        ("wagtailimages", "0027_image_description"),
    ]
    operations = [
        migrations.CreateModel(
            "Author", [("id", key()), ("name", models.CharField(max_length=80))]
        ),
        migrations.CreateModel(
            "MenuItem",
            [
                ("id", key()),
                ("title", models.CharField(max_length=80)),
                ("link", models.CharField(default="/", max_length=200)),
                ("position", models.IntegerField(default=0)),
            ],
            options={"ordering": ["position", "pk"]},
        ),
        migrations.CreateModel(
            "Topic",
            [("id", key()), ("name", models.CharField(max_length=80))],
            options={"ordering": ["name", "pk"]},
        ),
        migrations.CreateModel(
            "Announcement",
            [
                ("id", key()),
                ("text", models.CharField(max_length=80)),
                ("publish_at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            "Subscriber", [("id", key()), ("email", models.EmailField(max_length=254))]
        ),
        migrations.CreateModel(
            "BlogIndex", [("page_ptr", PAGE)], {"abstract": False}, ("wagtailcore.page",)
        ),
        migrations.CreateModel(
            "BlogPost",
            [
                ("page_ptr", PAGE.clone()),
                ("body", wagtail.fields.RichTextField(blank=True)),
                ("author", owned("blog.author")),
                ("image", owned("wagtailimages.image", blank=True)),
                ("topics", modelcluster.fields.ParentalManyToManyField("blog.topic", blank=True)),
            ],
            {"abstract": False},
            ("wagtailcore.page",),
        ),
    ]
