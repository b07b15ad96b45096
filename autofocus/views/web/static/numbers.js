// The state as numbers and sentences. Whatever comes from outside is set as text, never as markup.
const by = (id) => document.getElementById(id);
let state = null;
let receivedAt = 0;

export function number(value, digits) {
  return value === null || value === undefined ? "–" : value.toFixed(digits);
}

function brightness(value) {
  return number(value, value !== null && Math.abs(value) >= 1000 ? 0 : 1);
}

function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function put(id, text) {
  const element = by(id);
  if (element.textContent !== text) element.textContent = text;
}

function list(id, texts) {
  const element = by(id);
  const items = texts.map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  });
  element.replaceChildren(...items);
}

export function showState(told) {
  state = told;
  receivedAt = performance.now();
  document.documentElement.dataset.outcome = told.outcome ?? "";
  put("position", number(told.position, 0));
  put("fwhm", number(told.fwhm_px, 2));
  put("fwhm-unit", told.fwhm_arcsec === null ? "px" : `px (${told.fwhm_arcsec.toFixed(2)}″)`);
  put("nsig", brightness(told.nsig));
  put("light", `${told.light}, ADU/s`);
  put("phase", told.phase || "–");
  put("message", told.message === told.doing ? "" : told.message);
  put("who", [told.session, told.focuser, told.camera].filter(Boolean).join(" · "));
  put("facts", facts(told).join(" · "));
  put("guider", guider(told.guider));
  by("guider").dataset.good = String(told.guider.good);
  list("tail", told.tail.toReversed().map(([at, said]) => `${clock(at)}  ${said}`));
  list("warnings", told.warnings.toReversed());
  by("warning-box").hidden = told.warnings.length === 0;
  offers(told);
  const expected = told.exposures_expected;
  by("progress").hidden = told.ended || !told.exposures || told.phase === "watch";
  by("progress").value = expected ? Math.min(told.exposures / expected, 1) : 0;
  document.title = told.ended ? `${told.phase} – autofocus` : `${told.phase || "autofocus"} ${number(told.position, 0)}`;
  tick();
}

function facts(told) {
  const said = [];
  if (told.exposures) {
    const of = told.ended || !told.exposures_expected ? "" : ` of about ${Math.max(told.exposures_expected, told.exposures)}`;
    const counted = told.phase === "watch" ? "frames" : "exposures";
    said.push(told.ended || told.phase === "watch" ? `${told.exposures} ${counted}` : `exposure ${told.exposures}${of}`);
  }
  if (told.best) {
    said.push(`${told.ended ? "best" : "best so far"} ${told.best_said} (${told.objective})`);
  }
  said.push(...told.measured);
  if (told.snr !== null) said.push(`SNR ${told.snr.toFixed(0)}`);
  return said;
}

function guider(told) {
  if (told.kind === "none" || !told.kind) return "none: after a move only settle_s is waited";
  return `${told.kind}: ${told.said || "no move yet"}`;
}

function offers(told) {
  const offered = new Set(told.offers);
  by("stop-button").hidden = !offered.has("stop");
  put("stop-button", told.start_position === null ? "Stop" : `Stop, back to ${told.start_position}`);
  by("series-button").hidden = !offered.has("new_series");
  by("start").hidden = !offered.has("start");
}

export function tick() {
  if (state === null) return;
  const since = state.since_s + (state.ended ? 0 : (performance.now() - receivedAt) / 1000);
  let doing = state.doing;
  if (state.exposing_left_s !== null) doing += `, ${Math.max(0, state.exposing_left_s - since).toFixed(0)} s to go`;
  put("doing", doing);
  put("left-label", state.ended ? "took" : "time left");
  if (state.ended) put("left", clock(state.elapsed_s));
  else put("left", state.seconds_left === null ? "–" : clock(state.seconds_left - since));
}
