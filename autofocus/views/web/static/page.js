// The page listens to the program's stream of news, and finds its way back after sleep, reload and restart.
import { prepareCurves, showCurves } from "./curves.js";
import { showFrame } from "./frame.js";
import { showState, tick } from "./numbers.js";
import { prepareSound, soundEnd } from "./sound.js";

const SILENCE_MS = 15000;
const AGAIN_MS = 1500;
const by = (id) => document.getElementById(id);

let source = null;
let heardAt = 0;
let again = null;
let version = null;
let running = false;
let gone = false; // the program said that it ends
let looking = null; // the name of an earlier frame that a person chose

function link(kind, said) {
  by("link").className = `link ${kind}`;
  by("link").textContent = said;
}

function hear(kind, handle) {
  source.addEventListener(kind, (event) => {
    heardAt = performance.now();
    handle(JSON.parse(event.data));
  });
}

function connect() {
  clearTimeout(again);
  source?.close();
  source = new EventSource("events");
  heardAt = performance.now();
  hear("state", (told) => {
    link("good", "live");
    gone = false;
    if (version !== null && version !== told.version) location.reload();
    version = told.version;
    showState(told);
    if (running && told.ended) soundEnd(told.outcome);
    running = !told.ended && told.exposures > 0;
  });
  hear("curves", showCurves);
  hear("frame", (told) => { if (looking === null) showFrame(told); });
  hear("closing", () => { gone = true; lose(); });
  source.addEventListener("error", () => lose());
}

function lose() {
  if (gone) link("", "the program has ended; this is what it said last");
  else link("bad", "connection lost, trying again");
  for (const id of ["stop-button", "series-button", "start"]) by(id).hidden = true;
  source?.close();
  source = null;
  clearTimeout(again);
  again = setTimeout(connect, AGAIN_MS);
}

function watchOver() {
  if (source !== null && performance.now() - heardAt > SILENCE_MS) lose();
  tick();
}

async function command(name, what = {}) {
  for (const id of ["stop-button", "start-button"]) by(id).disabled = true;
  try {
    const answer = await fetch(`commands/${name}`, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(what),
    });
    if (!answer.ok && answer.status !== 409) link("bad", await answer.text());
  } catch {
    link("bad", "the program did not hear that");
  }
  for (const id of ["stop-button", "start-button"]) by(id).disabled = false;
}

async function lookAt(name) {
  looking = name;
  by("newest-button").hidden = false;
  const answer = await fetch(`frames/${encodeURIComponent(name)}`);
  if (answer.ok && looking === name) showFrame(await answer.json());
}

by("stop-button").addEventListener("click", () => command("stop"));
by("series-button").addEventListener("click", () => command("new_series"));
by("start").addEventListener("submit", (event) => {
  event.preventDefault();
  command("start", { objective: new FormData(event.target).get("objective") });
});
by("newest-button").addEventListener("click", () => { looking = null; by("newest-button").hidden = true; connect(); });
for (const kind of ["online", "pageshow"]) addEventListener(kind, connect);
document.addEventListener("visibilitychange", () => { if (!document.hidden) watchOver(); });
prepareCurves(lookAt);
prepareSound();
setInterval(watchOver, 250);
