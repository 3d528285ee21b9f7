"""What code does with the e-mail addresses of django-allauth, and what it is answered, as JSON.

Run with DATABASE_URL and ALLAUTH; see run.py.
"""

import json
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "platform_site.settings")

import django

django.setup()

from allauth.account.models import EmailAddress
from django.contrib.auth import get_user_model
from django.db import DatabaseError, IntegrityError, transaction

User = get_user_model()
ANSWERS = []


def attempt(name, act):
    try:
        with transaction.atomic():
            answer = act()
    except (DatabaseError, EmailAddress.DoesNotExist) as error:
        answer = [type(error).__name__, str(error)]
        if isinstance(error, IntegrityError):
            answer.append(error.__cause__.diag.constraint_name)
    ANSWERS.append({"flow": name, "answer": answer})


def listed(query):
    return [[a.user.username, a.email, a.verified, a.primary] for a in query.order_by("id")]


one = User.objects.create_user("alla1", "one.allauth@example.com", "x", first_name="Vorname17")
two = User.objects.create_user("alla2", "two.allauth@example.com", "x")
addresses = EmailAddress.objects

for user in [one, two]:
    attempt("a first address", lambda: str(addresses.create(
        user=user, email=user.email, verified=True, primary=True)))
attempt("another one", lambda: str(addresses.create(user=one, email="more.allauth@example.com")))
attempt("the same again", lambda: str(addresses.create(user=one, email="one.allauth@example.com")))
attempt("somebody else's, verified", lambda: str(addresses.create(
    user=two, email="one.allauth@example.com", verified=True)))
attempt("somebody else's", lambda: str(addresses.create(user=two, email="one.allauth@example.com")))
attempt("a second primary one", lambda: str(addresses.create(
    user=two, email="third.allauth@example.com", primary=True)))
attempt("all", lambda: listed(addresses.all()))
attempt("by address", lambda: listed(addresses.filter(email="one.allauth@example.com")))
attempt("by several", lambda: listed(addresses.filter(
    email__in=["one.allauth@example.com", "two.allauth@example.com"], verified=True)))
attempt("the primary one", lambda: addresses.get_primary(one).email)
attempt("one of a user", lambda: addresses.get_for_user(one, "more.allauth@example.com").email)
attempt("none of a user", lambda: addresses.get_for_user(two, "more.allauth@example.com").email)
attempt("promoted", lambda: addresses.get(email="more.allauth@example.com").set_as_primary())
attempt("the primary one now", lambda: [addresses.get_primary(one).email,
                                        User.objects.get(pk=one.pk).email])
attempt("of users", lambda: sorted(User.objects.filter(
    emailaddress__email="one.allauth@example.com").values_list("username", "email")))
attempt("deleted", lambda: one.delete()[1])
attempt("the rest", lambda: listed(addresses.all()))

json.dump(ANSWERS, sys.stdout, ensure_ascii=False)
