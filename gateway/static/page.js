"use strict";
// Swagger UI on the service's document. It shows a reply when it is complete; what is added here
// shows the items of a streamed reply as they come.

const MOST_ITEMS = 1000; // that are shown of one stream, the last ones
const streams = new Map(); // by URL of the method
const changes = new EventTarget();

/** What ends an item, by the type of the stream and its first text; null: items come as they are. */
function separatorOf(mediaType, text) {
  if (mediaType.includes("ndjson")) return "\n";
  return /^(data|event|id|retry):/.test(text) ? /\r?\n\r?\n/ : null;
}

/** Items at the beginning of `text`, and the rest of it. */
function split(text, separator) {
  if (separator === null) return [[text], ""];
  const items = text.split(separator);
  const rest = items.pop();
  const isEvents = separator !== "\n";
  return [items.filter(Boolean).map((item) => (isEvents ? item.replace(/^data: ?/gm, "") : item)), rest];
}

/** Reads a streamed reply, noting its items. */
async function follow(url, response) {
  const mediaType = response.headers.get("content-type") ?? "";
  const stream = { items: [], count: 0, state: " so far" };
  if (!response.ok || !/event-stream|ndjson/.test(mediaType)) {
    streams.delete(url);
    return;
  }
  streams.set(url, stream);
  let rest = "";
  let separator;
  try {
    for await (const text of chunks(response.body)) {
      separator = separator === undefined ? separatorOf(mediaType, text) : separator;
      const [items, left] = split(rest + text, separator);
      rest = left;
      stream.items = [...stream.items, ...items].slice(-MOST_ITEMS);
      stream.count += items.length;
      changes.dispatchEvent(new Event("change"));
    }
    stream.state = "";
  } catch {
    stream.state = ", then the stream broke off";
  }
  changes.dispatchEvent(new Event("change"));
}

async function* chunks(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
}

async function fetchAndFollow(url, request) {
  const response = await fetch(url, request);
  follow(new URL(url, location.href).href, response.clone());
  return response;
}

/** Swagger UI's panel of replies, with the items of the last stream above it. */
const withStream = (Responses, { React }) =>
  function ResponsesWithStream(props) {
    const [, redraw] = React.useReducer((count) => count + 1, 0);
    React.useEffect(() => {
      changes.addEventListener("change", redraw);
      return () => changes.removeEventListener("change", redraw);
    }, []);
    const h = React.createElement;
    const stream = streams.get(new URL(`.${props.path}`, location.href).href);
    const items = stream?.items.map((item, index) => h("li", { key: index }, item));
    const start = stream ? stream.count - stream.items.length + 1 : 1;
    const noun = stream?.count === 1 ? "item" : "items";
    const title = stream && `${stream.count} ${noun}${stream.state}`;
    const panel = stream && h("section", { className: "stream", "aria-live": "polite" },
      h("h4", null, title), h("ol", { start }, items));
    return h(React.Fragment, null, panel, h(Responses, props));
  };

let token = ""; // opens a protected service; gone when the page is

/** Asks for the token of a protected service, and begins anew with it. */
function askForToken(why) {
  const make = (name, fields) => Object.assign(document.createElement(name), fields);
  const form = make("form", { className: "token" });
  const input = make("input", { type: "password", name: "token", required: true, autocomplete: "off" });
  const label = make("label", { textContent: "Token" });
  label.append(input);
  form.append(make("p", { textContent: why }), label, make("button", { textContent: "Open" }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    token = input.value.trim();
    start();
  });
  document.getElementById("docs").replaceChildren(form);
  input.focus();
}

function withToken(request) {
  if (token) request.headers = { ...request.headers, authorization: `Bearer ${token}` };
  return Object.assign(request, { userFetch: fetchAndFollow });
}

/** Shows the service's document, to whoever may see it. */
async function start() {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const response = await fetch("docs.json", { headers });
  if (response.status === 401 || response.status === 403) askForToken((await response.json()).error);
  else show();
}

function show() {
  const ui = SwaggerUIBundle({
    url: "docs.json",
    dom_id: "#docs",
    deepLinking: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    tryItOutEnabled: true,
    validatorUrl: null, // nothing is asked of other servers
    plugins: [{ wrapComponents: { responses: withStream } }],
    requestInterceptor: withToken,
    onComplete: () => {
      document.title = ui.specSelectors.info().get("title");
    },
  });
}

start();
