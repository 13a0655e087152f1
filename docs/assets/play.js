/* The paths of seven update rules over four surfaces.

   The formulas are those of jaxtricks.optimizers and jaxtricks.surfaces, and colours and dashes
   those of experiments/engine/_style.py: tests/site/test_play.py compares them in Node. */
"use strict";

(function () {
  const SURFACES = {
    banana: {
      loss: (x, y) => (1 - x) ** 2 + 20 * (3 * y - x * x) ** 2,
      gradient: (x, y) => [-2 * (1 - x) - 80 * x * (3 * y - x * x), 120 * (3 * y - x * x)],
      view: [-2, 2, -0.3, 1.1],
      optimum: [1, 1 / 3],
      usual: { x: -1.21, y: 0.85, rate: 0.001, adaptive: 0.05 },
    },
    beale: {
      loss: (x, y) => bealeTerms(x, y).reduce((sum, term) => sum + term * term, 0),
      gradient: bealeGradient,
      view: [-1, 4.5, -2.5, 2],
      optimum: [3, 0.5],
      usual: { x: 1, y: 1.5, rate: 0.0028, adaptive: 0.05 },
    },
    saddle: {
      loss: (x, y) => x * x - y * y,
      gradient: (x, y) => [2 * x, -2 * y],
      view: [-1.5, 1.5, -1.5, 1.5],
      optimum: null,
      usual: { x: 1, y: 0.01, rate: 0.02, adaptive: 0.02 },
    },
    valley: {
      loss: (x, y) => 0.5 * (x * x + 20 * y * y),
      gradient: (x, y) => [x, 20 * y],
      view: [-3.5, 3.5, -1.75, 1.75],
      optimum: [0, 0],
      usual: { x: -3, y: 1, rate: 0.02, adaptive: 0.1 },
    },
  };

  function bealeTerms(x, y) {
    return [1.5 - x + x * y, 2.25 - x + x * y ** 2, 2.625 - x + x * y ** 3];
  }

  function bealeGradient(x, y) {
    const [a, b, c] = bealeTerms(x, y);
    return [
      2 * (a * (y - 1) + b * (y ** 2 - 1) + c * (y ** 3 - 1)),
      2 * x * (a + 2 * b * y + 3 * c * y ** 2),
    ];
  }

  /* Each rule works coordinate by coordinate: `step` receives the gradient g, what it remembers of
     this coordinate, the settings and the number of the step, counted from 1, and returns what to
     add to the coordinate. */
  const EPS = 1e-7;
  const mean = (decay, old, now) => decay * old + (1 - decay) * now;
  const RULES = {
    "gradient descent": { color: "#b73507", dash: [], step: (g, past, set) => -set.rate * g },
    momentum: {
      color: "#067560",
      dash: [6, 1],
      step(g, past, set) {
        past.v = set.momentum * past.v + g;
        return -set.rate * past.v;
      },
    },
    nesterov: {
      color: "#6c1966",
      dash: [4, 1, 1, 1],
      step(g, past, set) {
        past.v = set.momentum * past.v - set.rate * g;
        return set.momentum * past.v - set.rate * g;
      },
    },
    adagrad: {
      color: "#2094ef",
      dash: [],
      step(g, past, set) {
        past.r += g * g;
        return (-set.adaptive * g) / (Math.sqrt(past.r) + EPS);
      },
    },
    adadelta: {
      color: "#f66921",
      dash: [2, 1],
      step(g, past, set) {
        past.r = mean(set.decay, past.r, g * g);
        const u = g * Math.sqrt((past.d + 1e-6) / (past.r + 1e-6));
        past.d = mean(set.decay, past.d, u * u);
        return -u;
      },
    },
    rmsprop: {
      color: "#761321",
      dash: [6, 1, 1, 1, 1, 1],
      step(g, past, set) {
        past.r = mean(set.decay, past.r, g * g);
        return (-set.adaptive * g) / (Math.sqrt(past.r) + EPS);
      },
    },
    adam: {
      color: "#5107f9",
      dash: [8, 2],
      step(g, past, set, t) {
        past.v = mean(set.momentum, past.v, g);
        past.r = mean(set.decay, past.r, g * g);
        const square = past.r / (1 - set.decay ** t);
        return (-set.adaptive * past.v) / (1 - set.momentum ** t) / (Math.sqrt(square) + EPS);
      },
    },
  };
  const LABELS = {
    "gradient descent": "Gradient descent", momentum: "Momentum", nesterov: "Nesterov",
    adagrad: "AdaGrad", adadelta: "AdaDelta", rmsprop: "RMSProp", adam: "Adam",
  };

  /* The points of a path, from the start to the last step. */
  function trajectory(surface, rule, set) {
    const past = [0, 1].map(() => ({ v: 0, r: 0, d: 0 }));
    let point = [set.x, set.y];
    const points = [point];
    for (let t = 1; t <= set.steps; t++) {
      const gradient = SURFACES[surface].gradient(...point);
      point = point.map((value, i) => value + RULES[rule].step(gradient[i], past[i], set, t));
      points.push(point);
    }
    return points;
  }

  /* The path up to where it is lost: 100 pictures away from the middle, or no number at all. */
  function run(surface, rule, set) {
    const [left, right, low, high] = SURFACES[surface].view;
    const lost = ([x, y]) =>
      !(Math.abs(x - (left + right) / 2) < 100 * (right - left)) ||
      !(Math.abs(y - (low + high) / 2) < 100 * (high - low));
    const points = trajectory(surface, rule, set);
    const at = points.findIndex(lost);
    const kept = at < 0 ? points : points.slice(0, at);
    const [x, y] = kept[kept.length - 1];
    const inside = x >= left && x <= right && y >= low && y <= high;
    return { points: kept, diverges: at < 0 ? null : at, inside, loss: SURFACES[surface].loss(x, y) };
  }

  /* What a slider's position means, and back. */
  const power = {
    value: (position) => Number((10 ** position).toPrecision(2)),
    position: Math.log10,
    least: 1e-4,
    most: 1,
  };
  const share = {
    value: (position) => Number((1 - 10 ** -position).toFixed(4)),
    position: (value) => -Math.log10(1 - value),
    least: 0,
    most: 0.999,
  };
  const plain = { value: Number, position: Number };
  const SETTINGS = {
    rate: power, adaptive: power, momentum: share, decay: share,
    steps: { ...plain, least: 1, most: 300 }, x: plain, y: plain,
  };

  function usual(surface) {
    const own = SURFACES[surface].usual;
    return { surface, ...own, momentum: 0.9, decay: 0.99, steps: 150, off: [] };
  }

  /* The state that an address tells; what it leaves out or gets wrong is as usual. */
  function read(text) {
    const given = new URLSearchParams(text.replace(/^#/, ""));
    const named = given.get("surface");
    const state = usual(Object.hasOwn(SURFACES, named) ? named : "valley");
    const [left, right, low, high] = SURFACES[state.surface].view;
    const bounds = { x: [left, right], y: [low, high] };
    for (const [name, { least, most }] of Object.entries(SETTINGS)) {
      const value = Number.parseFloat(given.get(name));
      const [lowest, highest] = bounds[name] ?? [least, most];
      if (Number.isFinite(value)) state[name] = Math.min(highest, Math.max(lowest, value));
    }
    state.steps = Math.round(state.steps);
    state.off = (given.get("off") ?? "").split(",").filter((name) => Object.hasOwn(RULES, name));
    return state;
  }

  function write(state) {
    const { off, ...rest } = state;
    return "#" + new URLSearchParams(off.length ? { ...rest, off: off.join(",") } : rest);
  }

  function number(value) {
    const size = Math.abs(value);
    const plainly = size === 0 || (size >= 1e-3 && size < 1e5);
    const text = plainly ? String(Number(value.toPrecision(3))) : value.toExponential(2);
    return text.replaceAll("-", "\u2212");
  }

  function verdict(path, surface) {
    if (path.diverges === null) return number(path.loss) + (path.inside ? "" : ", outside");
    const falls = SURFACES[surface].optimum === null && path.loss < 0;
    return `${falls ? "falls without end" : "diverges"}, step ${path.diverges}`;
  }

  if (typeof module !== "undefined") {
    module.exports = { LABELS, RULES, SURFACES, read, run, trajectory, verdict, write };
    return;
  }

  const root = document.getElementById("play");
  const canvas = root.querySelector("canvas");
  const inputs = root.elements;
  let state = read(location.hash);
  let paths = {};
  let map = null; // the contour map, drawn once for a surface, size and colour scheme

  /* Where the map lies in the canvas, in CSS pixels, and the way from a point to a pixel. */
  function frame() {
    const [left, right, low, high] = SURFACES[state.surface].view;
    const box = { x: 34, y: 6, width: canvas.clientWidth - 40, height: canvas.clientHeight - 28 };
    return {
      ...box,
      across: (x) => box.x + ((x - left) / (right - left)) * box.width,
      down: (y) => box.y + ((high - y) / (high - low)) * box.height,
      point: (across, down) => [
        left + ((across - box.x) / box.width) * (right - left),
        high - ((down - box.y) / box.height) * (high - low),
      ],
    };
  }

  /* Levels half a power of ten apart; of the saddle, whose loss has both signs, on both sides. */
  function level(surface, x, y) {
    const loss = SURFACES[surface].loss(x, y);
    if (SURFACES[surface].optimum) return 2 * Math.log10(Math.max(loss, 0.01));
    return 2 * Math.sign(loss) * Math.log10(1 + Math.abs(loss) / 0.02);
  }

  function css(name) {
    return getComputedStyle(root).getPropertyValue(name).trim();
  }

  function channels(colour) {
    return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  }

  function drawMap(area, ratio) {
    const width = Math.max(1, Math.round(area.width * ratio));
    const height = Math.max(1, Math.round(area.height * ratio));
    const levels = new Float64Array(width * height);
    for (let i = 0; i < levels.length; i++) {
      const across = area.x + ((i % width) + 0.5) / ratio;
      const down = area.y + (Math.floor(i / width) + 0.5) / ratio;
      levels[i] = level(state.surface, ...area.point(across, down));
    }
    const least = levels.reduce((a, b) => Math.min(a, b));
    const most = levels.reduce((a, b) => Math.max(a, b));
    const [paper, high, line] = ["--play-paper", "--play-high", "--play-line"].map((name) =>
      channels(css(name)),
    );
    const image = new ImageData(width, height);
    for (let i = 0; i < levels.length; i++) {
      const beside = i % width ? i - 1 : i + 1;
      const above = i >= width ? i - width : i + width;
      const slope = Math.hypot(levels[i] - levels[beside], levels[i] - levels[above]);
      const off = Math.abs(levels[i] - Math.round(levels[i]));
      const ink = slope > 0 ? Math.max(0, 1 - Math.max(0, off / slope / ratio - 0.2)) : 0;
      const shade = (Math.floor(levels[i]) - least) / (most - least || 1);
      for (let c = 0; c < 3; c++) {
        const ground = paper[c] + Math.max(0, shade) * (high[c] - paper[c]);
        image.data[4 * i + c] = ground + ink * (line[c] - ground);
      }
      image.data[4 * i + 3] = 255;
    }
    const drawn = document.createElement("canvas");
    [drawn.width, drawn.height] = [width, height];
    drawn.getContext("2d").putImageData(image, 0, 0);
    return drawn;
  }

  function drawTicks(pen, area) {
    const [left, right, low, high] = SURFACES[state.surface].view;
    pen.fillStyle = css("--play-ink");
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    pen.textAlign = "center";
    const ticks = (from, to, step) =>
      Array.from({ length: 99 }, (_, i) => (Math.ceil(from / step) + i) * step).filter((t) => t <= to);
    for (const x of ticks(left, right, right - left > 4 ? 1 : 0.5)) {
      pen.fillText(number(x), Math.max(area.x + 8, Math.min(area.across(x), area.x + area.width - 10)), area.y + area.height + 13);
    }
    pen.textAlign = "right";
    for (const y of ticks(low, high, high - low > 4 ? 1 : 0.5)) {
      pen.fillText(number(y), area.x - 6, Math.max(area.y + 6, area.down(y)));
    }
  }

  function drawPath(pen, area, rule) {
    const { color, dash } = RULES[rule];
    const { points } = paths[rule];
    const line = new Path2D();
    points.forEach(([x, y], i) => {
      line[i ? "lineTo" : "moveTo"](area.across(x), area.down(y));
    });
    const strokes = [["#ffffff", 4.5, []], [color, 2, dash.map((length) => 2 * length)]];
    for (const [colour, width, dashes] of strokes) {
      [pen.strokeStyle, pen.lineWidth, pen.lineJoin] = [colour, width, "round"];
      pen.setLineDash(dashes);
      pen.stroke(line);
    }
    pen.setLineDash([]);
    const [x, y] = points[points.length - 1];
    disc(pen, area.across(x), area.down(y), 5, color);
  }

  function disc(pen, x, y, radius, colour) {
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    [pen.fillStyle, pen.strokeStyle, pen.lineWidth] = [colour, "#ffffff", 1.5];
    pen.fill();
    pen.stroke();
  }

  function drawMark(pen, x, y, text) {
    [pen.font, pen.textAlign, pen.textBaseline] = ["600 13px system-ui, sans-serif", "left", "bottom"];
    [pen.fillStyle, pen.strokeStyle, pen.lineWidth] = ["#1b1f27", "#ffffff", 4];
    pen.strokeText(text, x + 8, y - 6);
    pen.fillText(text, x + 8, y - 6);
    disc(pen, x, y, 4, "#1b1f27");
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    const area = frame();
    const key = [state.surface, area.width, area.height, ratio, css("--play-paper")].join();
    if (map?.key !== key) map = { key, image: drawMap(area, ratio) };
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    drawTicks(pen, area);
    pen.drawImage(map.image, area.x, area.y, area.width, area.height);
    pen.save();
    pen.beginPath();
    pen.rect(area.x, area.y, area.width, area.height);
    pen.clip();
    const { optimum } = SURFACES[state.surface];
    for (const rule of shown()) drawPath(pen, area, rule);
    if (optimum) drawMark(pen, area.across(optimum[0]), area.down(optimum[1]), "minimum");
    drawMark(pen, area.across(state.x), area.down(state.y), "start");
    pen.restore();
  }

  const shown = () => Object.keys(RULES).filter((rule) => !state.off.includes(rule));

  function fillLegend() {
    for (const row of root.querySelectorAll("[data-rule]")) {
      const { rule } = row.dataset;
      row.querySelector("input").checked = !state.off.includes(rule);
      row.querySelector("output").value = verdict(paths[rule], state.surface);
    }
    const after = state.steps === 1 ? "1 step" : `${state.steps} steps`;
    root.querySelector("[data-after]").textContent = after;
    const ended = shown().filter((rule) => paths[rule].diverges === null);
    const best = ended.sort((a, b) => paths[a].loss - paths[b].loss)[0];
    root.querySelector("[role=status]").textContent = best
      ? `After ${after}, ${LABELS[best]} has the lowest loss of the rules that are shown and stay near the picture: ${number(paths[best].loss)}.`
      : `After ${after}, no rule that is shown is still near the picture.`;
  }

  function fillInputs() {
    const [left, right, low, high] = SURFACES[state.surface].view;
    Object.assign(inputs.x, { min: left, max: right });
    Object.assign(inputs.y, { min: low, max: high });
    inputs.surface.value = state.surface;
    for (const [name, scale] of Object.entries(SETTINGS)) {
      const text = String(state[name]).replace("-", "\u2212");
      inputs[name].value = scale.position(state[name]);
      inputs[name].setAttribute("aria-valuetext", text);
      root.querySelector(`output[for=play-${name}]`).value = text;
    }
  }

  function show({ save = true } = {}) {
    paths = {};
    for (const rule of Object.keys(RULES)) paths[rule] = run(state.surface, rule, state);
    fillInputs();
    fillLegend();
    draw();
    if (save) history.replaceState(history.state, "", write(state));
  }

  function makeLegend() {
    const rows = Object.entries(RULES).map(([rule, { color, dash }]) => {
      const row = document.createElement("tr");
      row.dataset.rule = rule;
      row.innerHTML =
        `<th scope="row"><label><input type="checkbox">` +
        `<svg viewBox="0 0 40 12" aria-hidden="true"><line x1="2" x2="38" y1="6" y2="6" ` +
        `stroke="${color}" stroke-width="2.5" stroke-dasharray="${dash.map((d) => 2 * d)}"/></svg>` +
        `${LABELS[rule]}</label></th><td><output></output></td>`;
      return row;
    });
    root.querySelector("tbody").replaceChildren(...rows);
  }

  function moveStart(event) {
    const area = frame();
    const [left, right, low, high] = SURFACES[state.surface].view;
    const box = canvas.getBoundingClientRect();
    const [x, y] = area.point(event.clientX - box.left, event.clientY - box.top);
    state.x = Number(Math.min(right, Math.max(left, x)).toFixed(2));
    state.y = Number(Math.min(high, Math.max(low, y)).toFixed(2));
    show();
  }

  makeLegend();
  root.addEventListener("submit", (event) => event.preventDefault());
  root.addEventListener("input", ({ target }) => {
    const { rule } = target.closest("[data-rule]")?.dataset ?? {};
    if (rule) {
      state.off = Object.keys(RULES).filter((name) => (name === rule ? !target.checked : state.off.includes(name)));
    } else if (target.name === "surface") {
      state = { ...state, ...SURFACES[target.value].usual, surface: target.value };
    } else {
      state[target.name] = SETTINGS[target.name].value(target.value);
    }
    show();
  });
  for (const button of document.querySelectorAll("button[data-play]")) {
    button.addEventListener("click", () => {
      state = read(button.dataset.play);
      show();
      if (!root.contains(button)) root.scrollIntoView({ block: "nearest" });
    });
  }
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    moveStart(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) moveStart(event);
  });
  window.addEventListener("hashchange", () => {
    state = read(location.hash);
    show();
  });
  new ResizeObserver(draw).observe(canvas);
  new MutationObserver(draw).observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
  show({ save: false });
})();
