// Asks for the token of a service that wants one. It is kept in memory, and gone with the page.

const FIRST = "The service asks for a token. Its operator has it. It is kept in memory only.";
const AGAIN = "The service does not take this token, or none any more. Enter the one that its operator gave you.";

/**
 * Ask; resolves with the token, or "" if none was given.
 * @param {HTMLDialogElement} dialog
 * @param {boolean} isAgain whether one was given that the service does not take
 */
export function askToken(dialog, isAgain) {
  dialog.querySelector("p").textContent = isAgain ? AGAIN : FIRST;
  const form = dialog.querySelector("form");
  const field = dialog.querySelector("input");
  field.value = "";
  if (!dialog.open) dialog.showModal();
  return new Promise((done) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      dialog.close(field.value.trim());
    };
    dialog.onclose = () => {
      done(dialog.returnValue);
      dialog.returnValue = field.value = "";
    };
  });
}
