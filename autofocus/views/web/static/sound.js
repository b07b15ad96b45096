// A sound at the end of a run: rising when focus was found, falling when not. Browsers want one touch first.
const KEY = "autofocus.sound";
const RISING = [523, 659, 784];
const FALLING = [440, 330, 220];
const NOTE_S = 0.28;

let context = null;
let wanted = true;
try { wanted = localStorage.getItem(KEY) !== "off"; } catch { /* private windows forget */ }

function wake() {
  if (!wanted) return;
  context ??= new AudioContext();
  if (context.state === "suspended") context.resume();
}

function show() {
  document.getElementById("sound-button").setAttribute("aria-pressed", String(wanted));
}

function toggle() {
  wanted = !wanted;
  try { localStorage.setItem(KEY, wanted ? "on" : "off"); } catch { /* as above */ }
  show();
  if (wanted) { wake(); play([RISING[0]]); }
}

function play(notes) {
  if (!wanted || context === null) return;
  notes.forEach((hertz, index) => {
    const start = context.currentTime + index * NOTE_S;
    const tone = new OscillatorNode(context, { frequency: hertz, type: "triangle" });
    const volume = new GainNode(context, { gain: 0 });
    volume.gain.setValueAtTime(0, start);
    volume.gain.linearRampToValueAtTime(0.4, start + 0.02);
    volume.gain.linearRampToValueAtTime(0, start + NOTE_S);
    tone.connect(volume).connect(context.destination);
    tone.start(start);
    tone.stop(start + NOTE_S);
  });
}

export function prepareSound() {
  show();
  document.getElementById("sound-button").addEventListener("click", toggle);
  document.addEventListener("pointerdown", wake);
  document.addEventListener("keydown", (event) => {
    wake();
    if (event.key.toLowerCase() === "s" && !event.ctrlKey && !event.metaKey && !event.altKey) toggle();
  });
}

export function soundEnd(outcome) {
  play(outcome === "focused" ? RISING : FALLING);
  document.documentElement.dataset.sounded = wanted && context !== null ? outcome : "silent";
}
