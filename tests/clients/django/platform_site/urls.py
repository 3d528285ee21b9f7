from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import path

from web import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("login/", auth.LoginView.as_view(template_name="web/form.html")),
    path("logout/", auth.LogoutView.as_view(next_page="/login/")),
    path("signup/", views.SignUp.as_view()),
    path("me/", views.me),
    path("me/edit/", views.Edit.as_view()),
    path("people/", views.people),
]
