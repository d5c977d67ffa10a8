// Sends a form as JSON, and goes on or says what is wrong.
const form = document.querySelector("form");
const said = document.querySelector(".error");
const button = form.querySelector("button");

function content() {
  const fields = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
  if (fields.days) {
    fields.expired_at = new Date(Date.now() + Number(fields.days) * 86400000).toISOString();
  }
  delete fields.days;
  return JSON.stringify(fields);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  said.textContent = "";
  try {
    const reply = await fetch(form.dataset.path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: content(),
    });
    const answer = await reply.json();
    if (!reply.ok) throw new Error(answer.error);
    if (form.dataset.next) {
      location.assign(form.dataset.next);
      return;
    }
    const shown = document.querySelector("#token");
    if (shown) shown.textContent = answer.token;
    form.hidden = true;
    document.querySelector("#done").hidden = false;
  } catch (error) {
    said.textContent = error.message;
    button.disabled = false;
  }
});
