from django.contrib.auth import get_user_model, login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import JsonResponse
from django.views.generic import FormView, UpdateView

User = get_user_model()


def shown(user):
    return {
        "id": user.pk,
        "username": user.username,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "full_name": user.get_full_name(),
        "city": user.profile.city,
    }


class SignUpForm(UserCreationForm):
    class Meta(UserCreationForm.Meta):
        model = User
        fields = ("username", "email", "first_name", "last_name")

    def clean_email(self):
        email = self.cleaned_data["email"]
        if email and User.objects.filter(email=email).exists():
            self.add_error("email", "This address is already in use.")
        return email


class SignUp(FormView):
    form_class = SignUpForm
    template_name = "web/form.html"
    success_url = "/me/"

    def form_valid(self, form):
        user = form.save()
        login(self.request, user)
        return super().form_valid(form)


class Edit(LoginRequiredMixin, UpdateView):
    model = User
    fields = ["first_name", "last_name", "email"]
    template_name = "web/form.html"
    success_url = "/me/"

    def get_object(self, queryset=None):
        return self.request.user


@login_required
def me(request):
    return JsonResponse(shown(request.user))


@login_required
def people(request):
    """Look-up by exact e-mail addresses."""
    found = User.objects.select_related("profile").filter(email__in=request.GET.getlist("email"))
    return JsonResponse({"people": [shown(user) for user in found.order_by("pk")]})
