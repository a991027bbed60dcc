"use strict";
// Without this file the page works, too: links open pages, forms are sent, times are in UTC, and nothing renews itself.

const PAUSED = "paused";

// --- Times in the reader's zone; the title has the time in UTC ---

const zoned = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function localize(element) {
  for (const time of element.querySelectorAll("time[datetime]:not([data-relative])")) {
    const text = zoned.format(new Date(time.dateTime));
    if (time.dateTime && time.textContent !== text) time.textContent = text;
  }
}

// --- Renewal ---

function live() {
  return document.getElementById("live");
}

// What the reader has changed stays: chosen rows, opened details.
Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name) => !["checked", "open"].includes(name);

document.addEventListener("htmx:beforeSwap", (event) => {
  // Renewed parts are compared with what is shown, so their times must be written alike.
  const renewed = new DOMParser().parseFromString(event.detail.serverResponse, "text/html");
  localize(renewed);
  event.detail.serverResponse = renewed.documentElement.outerHTML;
});

document.addEventListener("htmx:beforeRequest", (event) => {
  const renews = event.target === live() && event.detail.requestConfig.triggeringEvent?.type !== "renew";
  if (renews && (document.hidden || sessionStorage.getItem(PAUSED))) event.preventDefault();
});

document.addEventListener("htmx:configRequest", (event) => {
  // Somebody waits for it, so it must not be what others were shown a few seconds ago.
  if (event.detail.triggeringEvent?.type === "renew") event.detail.headers["Cache-Control"] = "no-cache";
});

function renew() {
  if (live()?.hasAttribute("hx-get")) htmx.trigger(live(), "renew");
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !sessionStorage.getItem(PAUSED)) renew();
});
document.addEventListener("acted", renew);

function showPause() {
  const button = document.getElementById("pause");
  if (!button) return;
  button.hidden = false;
  button.setAttribute("aria-pressed", String(Boolean(sessionStorage.getItem(PAUSED))));
}

// --- Confirmations ---

document.addEventListener("htmx:afterSwap", (event) => {
  const dialog = document.getElementById("dialog");
  if (event.detail.target !== dialog) return;
  if (!dialog.open) dialog.showModal();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button, a");
  if (!button) return;
  if (button.matches("[data-close]") && button.closest("dialog")) {
    event.preventDefault();
    button.closest("dialog").close();
  } else if (button.matches("[data-copy]")) {
    copy(button);
  } else if (button.id === "pause") {
    if (sessionStorage.getItem(PAUSED)) sessionStorage.removeItem(PAUSED);
    else sessionStorage.setItem(PAUSED, "1");
    showPause();
    if (!sessionStorage.getItem(PAUSED)) renew();
  } else if (button.matches("[data-select-all]")) {
    for (const box of document.querySelectorAll("input[name=id]:not(:disabled)")) box.checked = true;
  }
});

async function copy(button) {
  const text = document.getElementById(button.dataset.copy).textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // Browsers allow it on secure addresses only.
    getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
    button.textContent = "Selected: press Ctrl+C";
  }
}

document.addEventListener("DOMContentLoaded", () => {
  localize(document);
  showPause();
});
