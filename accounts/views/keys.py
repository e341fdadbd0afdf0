"""The keys of one's own pages: off, or others than by default."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from accounts.doors import signed_in
from accounts.errors import BadKeys
from accounts.key_forms import KeysForm
from accounts.keymap import KeyMap
from accounts.services.set_keys import reset_keys, set_keys


@require_http_methods(["GET", "POST"])
@login_required
def own_keys(request: HttpRequest) -> HttpResponse:
    """See, change and reset them."""
    caller = signed_in(request)
    if request.method == "POST" and "reset" in request.POST:
        reset_keys(caller=caller)
        messages.success(request, gettext("The keys are as they were in the beginning."))
        return redirect("own-keys")
    form = KeysForm(request.POST or None, keymap=KeyMap.read(caller.user.keymap))
    if form.is_valid():
        try:
            set_keys(off=not form.cleaned_data["working"], keys=form.chosen, caller=caller)
        except BadKeys as refusal:
            for name, sentence in refusal.errors.items():
                form.add_error(name, sentence)
        else:
            messages.success(request, gettext("The keys are kept. They work from now on."))
            return redirect("own-keys")
    return render(request, "settings/keys.html", {"form": form}, status=422 if form.errors else 200)
