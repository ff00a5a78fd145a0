// Shows what changed since the page was opened. Without it the pages are the same, and have a link to look again.
"use strict";
const mark = document.getElementById("live");
let pending = false;

async function look() {
  pending = false;
  const answer = await fetch(location.href, { redirect: "error" }).catch(() => undefined);
  if (answer === undefined) return;
  const text = new DOMParser().parseFromString(await answer.text(), "text/html");
  const [old, fresh] = [document.querySelector("main"), text.querySelector("main")];
  if (old === null || fresh === null) return;
  const typed = [...old.querySelectorAll("textarea, input:not([type=hidden])")];
  const values = new Map(typed.map((field) => [field.id, field.value]));
  const active = document.activeElement;
  const focused = [active?.id, active?.getAttribute("href")];
  old.replaceWith(document.importNode(fresh, true));
  for (const [id, value] of values) {
    const field = document.getElementById(id);
    if (field !== null) field.value = value;
  }
  const again = [...document.querySelectorAll("main [id], main a[href]")].find((element) =>
    (focused[0] && element.id === focused[0]) || (focused[1] && element.getAttribute("href") === focused[1]));
  again?.focus();
}

if (mark !== null) {
  const events = new EventSource("/live");
  events.addEventListener("changed", (event) => {
    const shown = mark.dataset.request;
    if (shown !== undefined && shown !== JSON.parse(event.data).id) return;
    if (!pending) setTimeout(look, 300);
    pending = true;
  });
}
