"""What people and code do on the site, and what they are answered, as JSON.

Run with DATABASE_URL; see run.py. The answers must not depend on where the database keeps personal
data, so that two databases that go through the same flows give the same text.
"""

import json
import os
import re
import sys

if os.environ.get("DRIVER") == "psycopg2":
    # Django prefers psycopg 3 where it can be imported.
    sys.modules["psycopg"] = None

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "platform_site.settings")

import django

django.setup()

from django.contrib.auth import get_user_model
from django.contrib.auth.forms import PasswordResetForm
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Case, Count, F, Q, Value, When
from django.db.models.functions import Coalesce, NullIf
from django.test import Client

from web.models import Profile

User = get_user_model()
PASSWORD = "correct horse battery"

ANSWERS = []


def note(name, answer):
    ANSWERS.append({"flow": name, "answer": answer})


def page(response):
    """A response without what differs from one run to the next: tokens, times, password salts."""
    kind = response.headers.get("Content-Type", "")
    if kind.startswith("application/json"):
        body = response.json()
    else:
        body = response.content.decode()
        body = re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", body)
        body = re.sub(r"\d{4}-\d\d-\d\d", "DATE", body)
        body = re.sub(r"\d\d:\d\d:\d\d", "TIME", body)
        body = re.sub(r"[A-Z][a-z]{2,4}\.? \d+, \d{4}, [^<]*", "DATE", body)
        body = re.sub(r"<bdi>[^<]*</bdi>", "<bdi/>", body)
        body = re.sub(r"\s+", " ", body)
    return {"status": response.status_code, "to": response.headers.get("Location"), "body": body}


def row(user):
    return [user.username, user.email, user.first_name, user.last_name]


def sign_up(p):
    client = Client()
    form = {
        "username": f"{p}dora",
        "email": f"{p}.dora@example.com",
        "first_name": "Dóra",
        "last_name": "O'Callaghan-Müller",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    note("sign-up page", page(client.get("/signup/")))
    note("sign up", page(client.post("/signup/", form)))
    note("own page", page(client.get("/me/")))
    form["username"] = f"{p}other"
    note("sign up with a taken address", page(Client().post("/signup/", form)))
    form["email"] = "no address"
    note("sign up with a bad address", page(Client().post("/signup/", form)))
    quotes = {
        "username": f"{p}quotes",
        "email": f"{p}.o'hara+tag@example.com",
        "first_name": "\\'\"; DROP TABLE",
        "last_name": "% _ {} $1 %s ?",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    client = Client()
    note("sign up with quotes", page(client.post("/signup/", quotes)))
    note("own page with quotes", page(client.get("/me/")))
    empty = {"username": f"{p}bare", "password1": PASSWORD, "password2": PASSWORD}
    client = Client()
    note("sign up with a name only", page(client.post("/signup/", empty)))
    note("own page with a name only", page(client.get("/me/")))


def log_in(p):
    client = Client()
    form = {"username": f"{p}dora", "password": "wrong"}
    note("log in wrongly", page(client.post("/login/", form)))
    note("own page without log-in", page(client.get("/me/")))
    form["password"] = PASSWORD
    note("log in", page(client.post("/login/", form)))
    note("own page", page(client.get("/me/")))
    note("log out", page(client.post("/logout/")))


def edit(p):
    client = Client()
    client.post("/login/", {"username": f"{p}dora", "password": PASSWORD})
    note("edit page", page(client.get("/me/edit/")))
    form = {"first_name": "Dorottya", "last_name": "Nagyová", "email": f"{p}.new@example.com"}
    note("edit", page(client.post("/me/edit/", form)))
    note("own page edited", page(client.get("/me/")))
    user = User.objects.get(username=f"{p}dora")
    user.last_name = "Szőke"
    user.save(update_fields=["last_name"])
    note("one field", row(User.objects.get(pk=user.pk)))
    changed = User.objects.filter(email=f"{p}.new@example.com").update(first_name="Dóri")
    note("update by address", [changed, row(User.objects.get(pk=user.pk))])


def look_up(p):
    client = Client()
    client.post("/login/", {"username": f"{p}dora", "password": PASSWORD})
    wanted = {"email": [f"{p}.new@example.com", f"{p}.o'hara+tag@example.com", "x@example.com"]}
    note("people by address", page(client.get("/people/", wanted)))
    users = User.objects.filter(username__startswith=p)
    one = f"{p}.new@example.com"
    note("get", row(User.objects.get(email=one)))
    note("get with profile", row(User.objects.select_related("profile").get(email=one)))
    note("exists", User.objects.filter(email=one).exists())
    note("absent", User.objects.filter(email=f"{p}.dora@example.com").exists())
    note("count", users.filter(email__in=[one, "x@example.com"]).count())
    note("exclude", sorted(map(row, users.exclude(email=one))))
    note("or", sorted(map(row, users.filter(Q(email=one) | Q(username=f"{p}bare")))))
    note("values", list(users.order_by("pk").values("email", "first_name", "last_name")))
    note("empty address", sorted(map(row, users.filter(email=""))))
    # UPPER("auth_user"."email"::text) = UPPER('...')
    note("iexact", sorted(map(row, users.filter(email__iexact=one.upper()))))
    note("iexact absent", users.filter(email__iexact=one + "x").exists())
    note("not iexact", users.exclude(email__iexact=one.title()).count())
    note("iexact or", users.filter(Q(email__iexact=one.title()) | Q(username=f"{p}bare")).count())
    form = PasswordResetForm()
    note("password reset", [row(user) for user in form.get_users(one.upper())])
    note("null address", users.filter(email__isnull=True).count())
    note("through the profile", list(
        Profile.objects.filter(user__email=one).values_list("user__first_name", "user__email")
    ))
    note("subquery", sorted(map(row, users.filter(
        pk__in=Profile.objects.filter(user__email=one).values("user_id")
    ))))
    try:
        User.objects.get(email="x@example.com")
    except User.DoesNotExist as error:
        note("does not exist", str(error))


def bulk(p):
    def person(number):
        return User(
            username=f"{p}bulk{number:03}",
            email=f"{p}.bulk{number // 2}@example.com",
            first_name=f"Vorname{number}",
            last_name=f"Name-{number}-ß",
        )

    made = User.objects.bulk_create([person(number) for number in range(120)])
    note("bulk_create", [len(made), made[0].pk is not None])
    Profile.objects.bulk_create([Profile(user=user) for user in made])
    users = User.objects.filter(username__startswith=f"{p}bulk")
    note("bulk rows", list(map(row, users.order_by("username"))))
    note("batches", len(User.objects.bulk_create(
        [User(username=f"{p}batch{n}", email=f"{p}.b{n}@example.com") for n in range(25)],
        batch_size=10,
    )))
    changed = list(users.order_by("username")[:10])
    for user in changed:
        user.email = user.email.replace("bulk", "moved")
    for user in changed:
        user.save()
    note("saved", list(map(row, users.order_by("username")[:12])))
    for number, user in enumerate(changed):
        user.email = user.email.replace("moved", f"again{number}")
        user.last_name = f"Name-{number}" if number % 3 else ""
    note("bulk_update", User.objects.bulk_update(changed, ["email", "last_name"], batch_size=4))
    note("updated", list(map(row, users.order_by("username")[:12])))
    users.filter(pk=changed[0].pk).update(
        email=Coalesce(NullIf(F("email"), Value("")), Value(f"{p}.none@example.com")),
        last_name=Case(When(is_staff=True, then=F("first_name")), default=Value("Vorname17")),
    )
    note("conditional", row(User.objects.get(pk=changed[0].pk)))
    note("distinct", users.values("email").distinct().count())
    note("count distinct", users.aggregate(n=Count("email", distinct=True)))
    groups = users.values("email").annotate(n=Count("pk")).filter(n__gt=1).values_list("email", "n")
    note("group by", sorted(map(list, groups)))
    twice = User.objects.bulk_create(
        [User(username=f"{p}bulk000", email=f"{p}.upsert@example.com", last_name="Upsert")],
        update_conflicts=True,
        unique_fields=["username"],
        update_fields=["email", "last_name"],
    )
    note("upsert", [len(twice), row(User.objects.get(username=f"{p}bulk000"))])
    ignored = [User(username=f"{p}bulk001", email=f"{p}.ignored@example.com")]
    User.objects.bulk_create(ignored, ignore_conflicts=True)
    note("ignored", row(User.objects.get(username=f"{p}bulk001")))
    user, created = User.objects.get_or_create(
        email=f"{p}.once@example.com", defaults={"username": f"{p}once", "first_name": "Unica"}
    )
    note("get_or_create", [row(user), created])
    user, created = User.objects.get_or_create(email=f"{p}.once@example.com")
    note("get_or_create again", [row(user), created])
    user, created = User.objects.update_or_create(
        email=f"{p}.once@example.com", defaults={"last_name": "Secunda"}
    )
    note("update_or_create", [row(user), created])


def errors(p):
    def attempt(name, action):
        try:
            with transaction.atomic():
                action()
            note(name, "done")
        except DatabaseError as error:
            cause = error.__cause__
            diag = cause.diag
            note(name, [type(error).__name__, diag.sqlstate, diag.message_primary,
                        diag.message_detail, diag.constraint_name, diag.table_name])

    attempt("taken user name", lambda: User.objects.create(
        username=f"{p}dora", email=f"{p}.taken@example.com"))
    attempt("address too long", lambda: User.objects.create(
        username=f"{p}long", email="x" * 250 + "@example.com"))
    attempt("name too long", lambda: User.objects.filter(username=f"{p}dora").update(
        first_name="y" * 151))
    with transaction.atomic():
        user = User.objects.select_for_update().get(username=f"{p}dora")
        try:
            with transaction.atomic():
                User.objects.create(username=f"{p}dora", email=f"{p}.again@example.com")
        except IntegrityError:
            user.first_name = "Nach dem Fehler"
            user.save()
    note("after a savepoint", row(User.objects.get(username=f"{p}dora")))
    try:
        with transaction.atomic():
            User.objects.filter(username=f"{p}dora").update(email=f"{p}.gone@example.com")
            raise RuntimeError
    except RuntimeError:
        pass
    note("rolled back", row(User.objects.get(username=f"{p}dora")))


def administer(p):
    boss = User.objects.create_superuser(f"{p}boss", f"{p}.boss@example.com", PASSWORD)
    client = Client()
    client.force_login(boss)
    note("admin index", page(client.get("/admin/")))
    note("admin list", page(client.get("/admin/auth/user/")))
    note("admin second page", page(client.get("/admin/auth/user/?p=2")))
    note("admin filter", page(client.get("/admin/auth/user/?is_staff__exact=1")))
    note("admin by address", page(client.get(f"/admin/auth/user/?email={p}.boss@example.com")))
    note("admin profiles", page(client.get("/admin/web/profile/")))
    add = {"username": f"{p}added", "usable_password": "true",
           "password1": PASSWORD, "password2": PASSWORD,
           "profile-TOTAL_FORMS": "0", "profile-INITIAL_FORMS": "0"}
    note("admin add page", page(client.get("/admin/auth/user/add/")))
    note("admin add", page(client.post("/admin/auth/user/add/", add)))
    user = User.objects.get(username=f"{p}added")
    address = f"/admin/auth/user/{user.pk}/change/"
    note("admin change page", page(client.get(address)))
    change = {
        "username": f"{p}added",
        "first_name": "Ádám",
        "last_name": "O'Brien",
        "email": f"{p}.adam@example.com",
        "is_active": "on",
        "date_joined_0": "2024-02-03",
        "date_joined_1": "04:05:06",
        "profile-TOTAL_FORMS": "1",
        "profile-INITIAL_FORMS": "1",
        "profile-0-id": user.profile.pk,
        "profile-0-user": user.pk,
        "profile-0-city": "Szeged",
    }
    note("admin change", page(client.post(address, change)))
    note("admin changed", [row(User.objects.get(pk=user.pk)), user.profile.pk is not None])
    change["email"] = "no address"
    note("admin change wrongly", page(client.post(address, change)))
    note("admin history", page(client.get(f"/admin/auth/user/{user.pk}/history/")))
    note("admin delete page", page(client.get(f"/admin/auth/user/{user.pk}/delete/")))
    note("admin delete", page(client.post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"})))
    chosen = User.objects.filter(username__startswith=f"{p}batch").order_by("username")[:3]
    action = {"action": "delete_selected", "_selected_action": [u.pk for u in chosen]}
    note("admin delete some page", page(client.post("/admin/auth/user/", action)))
    note("admin delete some", page(client.post("/admin/auth/user/", action | {"post": "yes"})))


def delete(p):
    user = User.objects.get(username=f"{p}bare")
    note("delete", user.delete())
    note("delete by address", User.objects.filter(email=f"{p}.b9@example.com").delete())
    note("left", list(map(row, User.objects.order_by("username"))))
    with connection.cursor() as cursor:
        cursor.execute("SELECT email, count(*) FROM auth_user WHERE email = %s GROUP BY email",
                       [f"{p}.boss@example.com"])
        note("raw", [list(map(list, cursor.fetchall())), [c.name for c in cursor.description]])


if __name__ == "__main__":
    prefix = sys.argv[1]
    for flow in [sign_up, log_in, edit, look_up, bulk, errors, administer, delete]:
        flow(prefix)
    json.dump(ANSWERS, sys.stdout, ensure_ascii=False, indent=1, sort_keys=True)
