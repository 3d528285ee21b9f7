from django.conf import settings
from django.db import models


class Profile(models.Model):
    """What the platform keeps of a person besides the log-in."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="profile"
    )
    city = models.CharField(max_length=80, blank=True)
    bio = models.TextField(blank=True)

    class Meta:
        db_table = "web_profile"

    def __str__(self):
        return f"profile of {self.user.username}"
