from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_sticky"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": [
                    ("start_runs", "Can start runs"),
                    ("control_runs", "Can cancel, pause and resume runs"),
                    ("decide_requests", "Can decide approval requests"),
                    ("publish_policies", "Can change and publish policies"),
                    ("manage_people", "Can manage people, roles and review groups"),
                    ("manage_agents", "Can enable, disable and activate agents"),
                    ("read_audit", "Can read the audit log"),
                    ("export_audit", "Can export the audit log"),
                    ("read_everything", "Can see every run and request"),
                    ("read_sensitive", "Can see sensitive arguments"),
                    (
                        "grant_sticky_approvals",
                        "Can let calls like an approved one run by themselves for a while",
                    ),
                    (
                        "keep_records",
                        "Can set legal holds, and propose and confirm erasures in the audit log",
                    ),
                ],
                "verbose_name": "user",
                "verbose_name_plural": "users",
            },
        ),
    ]
