// Questions that are asked in front of everything else.

import { h } from "./dom.js";
import { dayAndSpan, toInput } from "./times.js";

const dialog = document.querySelector("#dialog");

/** What the person entered, by the names of the fields; null when they thought better of it. */
function ask(heading, fields, button) {
  return new Promise((resolve) => {
    let entered = null;
    const form = h(
      "form",
      {
        submit: (event) => {
          event.preventDefault();
          entered = Object.fromEntries(new FormData(form));
          dialog.close();
        },
      },
      h("h2", { id: "dialog-heading" }, heading),
      fields,
      h(
        "div",
        { class: "actions" },
        h("button", { class: "primary" }, button),
        h("button", { type: "button", click: () => dialog.close() }, "Back"),
      ),
    );
    dialog.replaceChildren(form);
    dialog.addEventListener("close", () => resolve(entered), { once: true });
    dialog.showModal();
  });
}

export const confirm = async ({ heading, text, button }) => (await ask(heading, [h("p", {}, text)], button)) !== null;

/** The title of a meeting to book. */
export async function bookingOf(slot, names) {
  const fields = [
    h("p", {}, dayAndSpan(slot.start, slot.end), h("br"), `with ${names}`),
    h(
      "label",
      {},
      "What is it about?",
      h("input", { name: "title", required: true, maxlength: 200, autocomplete: "off", autofocus: true, value: "Planning" }),
    ),
    h("p", { class: "soft" }, "Everybody gets an invitation by mail, and counts as busy from now on."),
  ];
  return (await ask("Book this time?", fields, "Book and invite"))?.title;
}

/** Another time of the same length, with a word about it. */
export async function proposalFor(event) {
  const fields = [
    h("label", {}, "Start", h("input", { name: "start", type: "datetime-local", required: true, autofocus: true, value: toInput(event.start) })),
    h("label", {}, "Comment (optional)", h("input", { name: "comment", maxlength: 1000, autocomplete: "off" })),
  ];
  const entered = await ask("Propose another time", fields, "Send proposal");
  if (!entered) return null;
  const start = new Date(entered.start);
  const end = new Date(start.getTime() + (new Date(event.end) - new Date(event.start)));
  return { start: start.toISOString(), end: end.toISOString(), comment: entered.comment };
}
