// The stretched frame with what was found drawn on it, and a profile with its fit.
const SVG = "http://www.w3.org/2000/svg";
const by = (id) => document.getElementById(id);

function line(points, kind) {
  const made = document.createElementNS(SVG, "polyline");
  made.setAttribute("points", points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "));
  made.setAttribute("class", kind);
  return made;
}

function text(x, y, said, anchor) {
  const made = document.createElementNS(SVG, "text");
  made.setAttribute("x", x);
  made.setAttribute("y", y);
  made.setAttribute("text-anchor", anchor);
  made.textContent = said;
  return made;
}

let profile = null;
addEventListener("resize", () => { if (profile !== null) showProfile(profile); });

export function showFrame(told) {
  const picture = by("picture");
  picture.hidden = !told?.image;
  if (!told) {
    by("frame-title").textContent = "no frame yet";
    by("profile").replaceChildren();
    profile = null;
    return;
  }
  by("frame-title").textContent = told.title;
  by("trace-legend").hidden = told.ringed !== "";
  by("window-legend").textContent = told.ringed ? `rings: ${told.ringed}` : "extraction window";
  by("profile-title").textContent = told.profile.title;
  by("profile-window-legend").hidden = told.profile.window_px === null;
  by("frame-image").dataset.name = told.name;
  if (told.image) {
    by("frame-image").src = told.image;
    const lines = by("frame-lines");
    lines.setAttribute("viewBox", `0 0 ${told.width} ${told.height}`);
    lines.replaceChildren(...told.window.map((edge) => line(edge, "window")), line(told.trace, "trace"));
  }
  profile = told.profile;
  showProfile(profile);
}

function showProfile({ start_px, values, fit, window_px, center_px }) {
  const place = by("profile");
  const wide = place.clientWidth || 600;
  const tall = place.clientHeight || 200;
  const known = values.concat(fit).filter((value) => value !== null);
  if (known.length === 0) {
    place.replaceChildren();
    return;
  }
  const [from, to] = seen(start_px, values.length, window_px, center_px);
  const low = Math.min(...known);
  const high = Math.max(...known);
  const x = (px) => ((px - from) / Math.max(to - from, 1)) * wide;
  const y = (value) => tall - 24 - ((value - low) / Math.max(high - low, 1e-9)) * (tall - 34);
  const points = (series) => series
    .map((value, index) => [value, start_px + index])
    .filter(([value, px]) => value !== null && px >= from && px <= to)
    .map(([value, px]) => [x(px), y(value)]);
  const edges = (window_px ?? []).map((px) => line([[x(px), 0], [x(px), tall - 20]], "window"));
  place.setAttribute("viewBox", `0 0 ${wide} ${tall}`);
  place.replaceChildren(
    ...edges,
    line(steps(points(values)), "profile"),
    line(points(fit), "fit"),
    line([[0, tall - 20], [wide, tall - 20]], "axis"),
    text(2, tall - 4, `${Math.round(from)} px`, "start"),
    text(wide / 2, tall - 4, center_px === null ? "" : `centre ${center_px.toFixed(1)} px`, "middle"),
    text(wide - 2, tall - 4, `${Math.round(to)} px`, "end"),
  );
}

// What of the profile is worth the width: the window and as much again on either side.
function seen(start, length, window_px, center) {
  const whole = [start, start + length - 1];
  if (!window_px || center === null) return whole;
  const half = window_px[1] - window_px[0];
  return [Math.max(whole[0], center - half), Math.min(whole[1], center + half)];
}

// A pixel is as wide as it is.
function steps(points) {
  const corners = points.slice(0, 1);
  for (let index = 1; index < points.length; index += 1) {
    const [[x0, y0], [x1, y1]] = [points[index - 1], points[index]];
    const edge = (x0 + x1) / 2;
    corners.push([edge, y0], [edge, y1], [x1, y1]);
  }
  return corners;
}
