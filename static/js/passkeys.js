// Passkeys: forms marked data-passkey ask the browser for one, put its answer into their hidden field, and are sent.
// "create" makes one, "get" uses one of the person's, "sign-in" any that the site knows; its options are fetched first.
import { gettext } from "./words.js";

const BINARY = new Set(["challenge", "id", "userHandle", "rawId", "attestationObject", "clientDataJSON", "authenticatorData", "signature"]);

function bytes(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function text(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function known(credentials = []) {
  return credentials.map((each) => ({ ...each, id: bytes(each.id) }));
}

async function create({ publicKey }, signsIn) {
  const options = {
    ...publicKey,
    challenge: bytes(publicKey.challenge),
    user: { ...publicKey.user, id: bytes(publicKey.user.id) },
    excludeCredentials: known(publicKey.excludeCredentials),
    authenticatorSelection: {
      ...publicKey.authenticatorSelection,
      residentKey: signsIn ? "required" : "preferred",
      requireResidentKey: signsIn,
      userVerification: signsIn ? "required" : "preferred",
    },
  };
  return navigator.credentials.create({ publicKey: options });
}

async function get({ publicKey }) {
  const options = {
    ...publicKey,
    challenge: bytes(publicKey.challenge),
    allowCredentials: known(publicKey.allowCredentials),
  };
  return navigator.credentials.get({ publicKey: options });
}

// As JSON, the way WebAuthn level 3 writes it.
function written(credential) {
  const response = {};
  for (const name of BINARY) {
    const value = credential.response[name];
    if (value instanceof ArrayBuffer) response[name] = text(value);
  }
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  });
}

async function optionsOf(form) {
  if (form.dataset.options) return JSON.parse(form.dataset.options);
  const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(gettext("The server did not answer."));
  return (await answer.json()).request_options;
}

// What a person can do about it; browsers do not say more, so that sites learn nothing about devices.
function said(error) {
  if (error.name === "InvalidStateError") return gettext("This device has a passkey for your account already.");
  if (error.name === "SecurityError") return gettext("The browser makes no passkeys for this address. Open the site by its host name.");
  if (error.name === "NotAllowedError") return gettext("Nothing was confirmed: it was cancelled, or took too long. Try again.");
  return gettext("The passkey did not work. Try again, or use another way.");
}

async function ask(event) {
  const form = event.target.closest("form[data-passkey]");
  if (!form) return;
  event.preventDefault();
  const problem = form.querySelector("[data-passkey-problem]");
  const button = form.querySelector("button[type=submit]");
  problem.hidden = true;
  button.setAttribute("aria-disabled", "true");
  try {
    const options = await optionsOf(form);
    const signsIn = form.querySelector("[data-signs-in]")?.checked ?? false;
    const credential = form.dataset.passkey === "create" ? await create(options, signsIn) : await get(options);
    form.elements.credential.value = written(credential);
    form.submit();
  } catch (error) {
    problem.textContent = said(error);
    problem.hidden = false;
    button.removeAttribute("aria-disabled");
  }
}

if (window.PublicKeyCredential) {
  for (const part of document.querySelectorAll("[data-needs-passkeys]")) part.hidden = false;
}
document.addEventListener("submit", ask);
