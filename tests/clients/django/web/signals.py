from django.contrib.auth import get_user_model
from django.db.models.signals import post_save
from django.dispatch import receiver

from web.models import Profile


@receiver(post_save, sender=get_user_model())
def keep_profile(sender, instance, created, raw=False, **kwargs):
    """Every user has a profile."""
    if raw:
        return
    if created:
        Profile.objects.create(user=instance)
    elif hasattr(instance, "profile"):
        instance.profile.save()
