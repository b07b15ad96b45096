// Both focus curves; Plotly's script may come later than the first figure.
const place = () => document.getElementById("curves");
let waiting = null;
let names = {};
let chosen = () => {};

function draw() {
  if (waiting === null || window.Plotly === undefined) return;
  const { figure } = waiting;
  const element = place();
  element.hidden = Object.keys(waiting.names).length === 0; // axes without points say nothing
  waiting = null;
  window.Plotly.react(element, figure.data, { ...figure.layout, autosize: true }, { ...figure.config, displayModeBar: false });
  if (!element.dataset.listening) {
    element.dataset.listening = "yes";
    element.on("plotly_click", (event) => {
      const name = names[event.points[0]?.customdata];
      if (name !== undefined) chosen(name);
    });
  }
}

export function prepareCurves(onFrame) {
  chosen = onFrame;
  document.getElementById("plotly").addEventListener("load", draw);
}

export function showCurves(told) {
  names = told.names;
  waiting = told;
  draw();
}
