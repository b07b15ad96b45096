"use strict";
const figure = JSON.parse(document.getElementById("figure").textContent);
Plotly.newPlot("curves", figure.data, figure.layout, figure.config);
