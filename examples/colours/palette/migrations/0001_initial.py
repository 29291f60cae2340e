from django.db import migrations, models

import notmodified.fields


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Colour",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100, unique=True)),
                ("hex", models.CharField(max_length=7)),
                ("red", models.PositiveSmallIntegerField(editable=False)),
                ("green", models.PositiveSmallIntegerField(editable=False)),
                ("blue", models.PositiveSmallIntegerField(editable=False)),
                ("version", notmodified.fields.VersionField()),
            ],
            options={
                "ordering": ["name", "id"],
            },
        ),
    ]
