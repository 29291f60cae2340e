import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import notmodified.fields


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("palette", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Tag",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=40, unique=True)),
                ("version", notmodified.fields.VersionField()),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Desktop",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("slug", models.SlugField()),
                ("title", models.CharField(max_length=80)),
                ("version", notmodified.fields.VersionField()),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="desktops",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "wallpaper",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="desktops",
                        to="palette.colour",
                    ),
                ),
                (
                    "tags",
                    models.ManyToManyField(blank=True, related_name="desktops", to="desktops.tag"),
                ),
            ],
            options={
                "ordering": ["owner", "slug"],
            },
        ),
        migrations.CreateModel(
            name="Note",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("text", models.CharField(max_length=400)),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("version", notmodified.fields.VersionField()),
                (
                    "desktop",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notes",
                        to="desktops.desktop",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Shortcut",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("label", models.CharField(max_length=40)),
                ("target", models.URLField()),
                ("position", models.PositiveSmallIntegerField()),
                ("version", notmodified.fields.VersionField()),
                (
                    "colour",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="shortcuts",
                        to="palette.colour",
                    ),
                ),
                (
                    "desktop",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="shortcuts",
                        to="desktops.desktop",
                    ),
                ),
            ],
            options={
                "ordering": ["position", "id"],
            },
        ),
        migrations.AddConstraint(
            model_name="desktop",
            constraint=models.UniqueConstraint(fields=("owner", "slug"), name="one_slug_each"),
        ),
    ]
