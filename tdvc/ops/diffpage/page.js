"use strict";
// Everything that came from outside is set as text or as an attribute of SVG, never parsed as HTML.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const OVERSCAN = 3;
  const changes = JSON.parse(document.getElementById("changes").textContent);
  const files = changes.files;
  const list = document.getElementById("list");
  const viewer = document.getElementById("viewer");
  const search = document.getElementById("search");
  const labels = document.getElementById("label");
  const wanted = new Set();
  const rows = new Map();
  let shown = files.map((_, number) => number);
  let current = -1;
  let height = 1;

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function drawn(name, attributes) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  // pictures

  function source(number) {
    const picture = files[number].picture;
    if (!picture) return "";
    if (picture.link) return picture.link;
    const stored = document.getElementById(`picture-${number}`);
    return stored ? `data:image/jpeg;base64,${stored.textContent}` : "";
  }

  function side(change, which) {
    const told = change[which];
    if (!told || (!told.path && !(told.points || []).length)) return null;
    const group = drawn("g", { class: `side ${which}${told.path && !told.open ? " filled" : ""}` });
    if (told.path) {
      group.append(drawn("path", { class: "halo", d: told.path }), drawn("path", { class: "shape", d: told.path }));
    }
    for (const [x, y, visible] of told.points || []) {
      group.append(drawn("path", { class: visible ? "dot" : "dot hidden", d: `M${x} ${y}h0` }));
    }
    return group;
  }

  function overlay(number) {
    const file = files[number];
    const svg = drawn("svg", { preserveAspectRatio: "xMidYMid meet", role: "img" });
    const size = file.picture || {};
    const href = source(number);
    if (size.width) svg.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
    if (href) svg.append(drawn("image", { href, width: size.width, height: size.height }));
    file.instances.forEach((change, index) => {
      const group = drawn("g", { class: `change ${change.kind}`, "data-index": index });
      for (const which of ["before", "after"]) {
        const part = side(change, which);
        if (part) group.append(part);
      }
      if (group.childNodes.length) svg.append(group);
    });
    return svg;
  }

  function fit(svg) {
    // Without a picture the shapes say how large the paper is.
    if (svg.hasAttribute("viewBox") || !svg.childNodes.length) return;
    const box = svg.getBBox();
    const room = Math.max(box.width, box.height, 1) * 0.08;
    const frame = [box.x - room, box.y - room, box.width + 2 * room, box.height + 2 * room];
    svg.setAttribute("viewBox", frame.join(" "));
  }

  function picture(number, holder) {
    const svg = overlay(number);
    holder.classList.toggle("bare", !source(number));
    if (!svg.childNodes.length) {
      holder.append(element("span", "none", "no picture"));
      return;
    }
    holder.append(svg);
    fit(svg);
  }

  // words

  function path(file) {
    const made = element("p", "path");
    const cut = file.path.lastIndexOf("/") + 1;
    made.title = file.from ? `${file.from} → ${file.path}` : file.path;
    if (file.from) made.append(element("span", "folder", `${file.from} → `));
    made.append(element("span", "folder", file.path.slice(0, cut)), file.path.slice(cut));
    return made;
  }

  function notes(file) {
    const made = element("div", "notes");
    made.append(element("span", `tag ${file.kind}`, file.kind));
    for (const note of file.notes) made.append(element("span", "tag", note));
    return made;
  }

  const SIGNS = { added: "+", removed: "−", changed: "~" };

  function what(change) {
    const made = element("span", "what");
    const before = change.before, after = change.after;
    const told = after || before;
    if (before && after && before.label !== after.label) made.append(element("span", "was", before.label), " ");
    made.append(told.label, " ", element("span", "type", told.type));
    if (told.frame !== undefined) made.append(element("span", "type", ` frame ${told.frame}`));
    return made;
  }

  function instances(file, holder) {
    const made = element("ul", "changes");
    file.instances.forEach((change, index) => {
      const line = element("li", change.kind);
      line.append(element("span", "sign", SIGNS[change.kind]), what(change));
      line.append(element("span", "says", change.says.join(" · ")));
      line.title = change.id;
      line.addEventListener("pointerenter", () => light(holder, index));
      line.addEventListener("pointerleave", () => light(holder, -1));
      made.append(line);
    });
    if (file.more) made.append(element("li", "", `… and ${file.more.toLocaleString("en")} more`));
    return made;
  }

  function light(holder, index) {
    const svg = holder.querySelector("svg");
    if (!svg) return;
    svg.classList.toggle("lit", index >= 0);
    for (const group of svg.querySelectorAll("g.change")) {
      group.classList.toggle("lit", Number(group.dataset.index) === index);
    }
  }

  // the list: rows exist while they are near the window

  function row(position) {
    const number = shown[position];
    const file = files[number];
    const made = element("article", "row");
    made.setAttribute("role", "listitem");
    made.style.top = `${position * height}px`;
    const frame = element("button", "frame");
    frame.setAttribute("aria-label", `Enlarge ${file.path}`);
    frame.addEventListener("click", () => { select(position); open(); });
    const about = element("div", "about");
    about.append(path(file), notes(file), instances(file, frame));
    made.append(frame, about);
    made.addEventListener("pointerdown", () => select(position, false));
    list.append(made);
    picture(number, frame);
    made.classList.toggle("current", position === current);
    return made;
  }

  function draw() {
    const top = window.scrollY - list.offsetTop;
    const first = Math.max(0, Math.floor(top / height) - OVERSCAN);
    const last = Math.min(shown.length - 1, Math.ceil((top + window.innerHeight) / height) + OVERSCAN);
    for (const [position, made] of rows) {
      if (position < first || position > last) {
        made.remove();
        rows.delete(position);
      }
    }
    for (let position = first; position <= last; position++) {
      if (!rows.has(position)) rows.set(position, row(position));
    }
  }

  function layout() {
    height = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row")) || 248;
    for (const made of rows.values()) made.remove();
    rows.clear();
    list.style.height = `${shown.length * height}px`;
    draw();
  }

  function filter() {
    const text = search.value.toLowerCase();
    const label = labels.selectedIndex > 0 ? allLabels[labels.selectedIndex - 1][0] : null;
    shown = [];
    files.forEach((file, number) => {
      const named = !text || file.path.toLowerCase().includes(text) || (file.from || "").toLowerCase().includes(text);
      const labelled = label === null || file.labels.includes(label);
      if (named && labelled && (!wanted.size || file.kinds.some((kind) => wanted.has(kind)))) shown.push(number);
    });
    current = -1;
    const all = files.length.toLocaleString("en");
    const some = shown.length.toLocaleString("en");
    const noun = files.length === 1 ? "file differs" : "files differ";
    document.getElementById("count").textContent = some === all ? `${all} ${noun}` : `${some} of ${all} files`;
    document.getElementById("nothing").hidden = shown.length > 0;
    layout();
  }

  // moving about

  function select(position, scroll = true) {
    if (!shown.length) return;
    rows.get(current)?.classList.remove("current");
    current = Math.min(Math.max(position, 0), shown.length - 1);
    if (scroll) {
      const above = document.querySelector("header").offsetHeight + 14;
      const top = list.offsetTop + current * height;
      if (top < window.scrollY + above) window.scrollTo(0, top - above);
      if (top + height > window.scrollY + window.innerHeight - 40) window.scrollTo(0, top + height - window.innerHeight + 40);
      draw();
    }
    rows.get(current)?.classList.add("current");
    if (viewer.open) view();
  }

  function view() {
    const number = shown[current];
    const file = files[number];
    const holder = document.getElementById("viewer-picture");
    const words = document.getElementById("viewer-changes");
    document.getElementById("viewer-path").textContent = file.from ? `${file.from} → ${file.path}` : file.path;
    const place = `${(current + 1).toLocaleString("en")} / ${shown.length.toLocaleString("en")}`;
    document.getElementById("viewer-count").textContent = place;
    holder.replaceChildren();
    picture(number, holder);
    words.replaceChildren(notes(file), instances(file, holder));
  }

  function open() {
    if (current < 0) select(0);
    if (current < 0 || viewer.open) return;
    viewer.showModal();
    viewer.focus();
    view();
  }

  function toggle(which) {
    const hidden = document.body.classList.toggle(`no-${which}`);
    document.getElementById(`show-${which}`).setAttribute("aria-pressed", String(!hidden));
  }

  const KEYS = {
    ArrowDown: () => select(current + 1), j: () => select(current + 1), ArrowRight: () => select(current + 1),
    ArrowUp: () => select(current - 1), k: () => select(current - 1), ArrowLeft: () => select(current - 1),
    Home: () => select(0), End: () => select(shown.length - 1),
    Enter: open, b: () => toggle("before"), a: () => toggle("after"),
    "/": () => { viewer.close(); search.focus(); },
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target === search || event.target === labels;
    if (event.key === "Escape" && event.target === search) search.blur();
    const act = KEYS[event.key];
    if (!act || typing || (event.key === "Enter" && event.target.tagName === "BUTTON")) return;
    event.preventDefault();
    act();
  });

  // what can be chosen

  function count(of) {
    const counts = new Map();
    for (const file of files) for (const key of of(file)) counts.set(key, (counts.get(key) || 0) + 1);
    return counts;
  }

  const allLabels = [...count((file) => file.labels)].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  labels.append(element("option", "", "All labels"));
  for (const [label, files] of allLabels) labels.append(element("option", "", `${label} (${files.toLocaleString("en")})`));
  labels.hidden = allLabels.length < 2;

  const kinds = count((file) => file.kinds);
  for (const [kind, name] of changes.kinds) {
    if (!kinds.get(kind)) continue;
    const chip = element("button", "", name);
    chip.dataset.kind = kind;
    chip.setAttribute("aria-pressed", "false");
    chip.append(element("b", "", kinds.get(kind).toLocaleString("en")));
    chip.addEventListener("click", () => {
      const on = !wanted.has(kind);
      if (on) wanted.add(kind); else wanted.delete(kind);
      chip.setAttribute("aria-pressed", String(on));
      filter();
    });
    document.getElementById("kinds").append(chip);
  }

  const title = document.getElementById("title");
  title.append(changes.before, element("span", "arrow", "→"), changes.after);
  if (changes.match !== null) title.append(element("span", "arrow", `matched by overlap from ${changes.match}`));
  document.title = `${changes.before} → ${changes.after}`;

  let drawing = false;
  window.addEventListener("scroll", () => {
    if (drawing) return;
    drawing = true;
    requestAnimationFrame(() => { drawing = false; draw(); });
  }, { passive: true });
  window.addEventListener("resize", layout);
  search.addEventListener("input", filter);
  labels.addEventListener("change", filter);
  document.getElementById("show-before").addEventListener("click", () => toggle("before"));
  document.getElementById("show-after").addEventListener("click", () => toggle("after"));
  document.getElementById("previous").addEventListener("click", () => select(current - 1));
  document.getElementById("next").addEventListener("click", () => select(current + 1));
  document.getElementById("close").addEventListener("click", () => viewer.close());
  filter();
})();
