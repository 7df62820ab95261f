// The page: sources (image, video, camera), drawing, texts in two languages. What it finds comes from faces.js.
import { Recognizer } from "./faces.js";

const MAX_SIDE = 8192, MAX_FRAMES = 10000, SPEED_FRAMES = 30;
const LANGUAGES = { en: "English", zh: "中文" };
const element = (id) => document.getElementById(id);
const canvas = element("canvas"), score = element("score"), landmarks = element("landmarks");
const pixels = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

let site, recognizer;
let language = navigator.language.startsWith("zh") ? "zh" : "en";
let source = null; // { name, picture } of an image; { name, picture: <video>, live: true, frames, skipped, stream }
let found = null; // { faces, ms } of the pixels shown
let running = false, again = false;
let due = false; // whether a new frame is to be read; otherwise the one shown is looked at once more
let turns = 0; // sources asked for: the last is the one to show
let said = ["loading", {}];
const times = []; // when the last frames were done

function text(key, values = {}) {
  return site.texts[key][language].replace(/{(\w+)}/g, (_, name) => values[name]);
}

function say(key, values) {
  said = [key, values];
  const error = /bad_file|too_large|not_loaded|camera_/.test(key);
  const status = element("status");
  status.setAttribute("aria-live", key === "rate" ? "off" : "polite"); // no screen reader follows every frame
  status.textContent = text(key, values);
  status.classList.toggle("error", error);
}

function showTexts() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = text("title");
  for (const part of document.querySelectorAll("[data-text]")) part.textContent = text(part.dataset.text);
  element("language").textContent = LANGUAGES[language === "zh" ? "en" : "zh"];
  say(...said);
  show();
}

// Draws the current frame into `pixels`: what the networks see is what is shown, and what later settings are tried on.
function read({ picture }) {
  const [width, height] = [picture.videoWidth || picture.width, picture.videoHeight || picture.height];
  if (pixels.canvas.width !== width || pixels.canvas.height !== height) Object.assign(pixels.canvas, { width, height });
  pixels.fillStyle = "#fff"; // transparency lies over white, as in Python
  pixels.fillRect(0, 0, width, height);
  pixels.drawImage(picture, 0, 0);
}

async function update() {
  again = running;
  if (running) return;
  running = true;
  try {
    do {
      again = false;
      if (due || found) await recognize(source);
    } while (again);
  } finally {
    running = false;
  }
}

async function recognize(from) {
  const start = performance.now(), isNew = due;
  if (isNew) {
    read(from);
    from.time = from.picture.currentTime;
    due = false;
  }
  const asked = { minScore: Number(score.value), landmarks: landmarks.checked, longest: longest(from) };
  const faces = await recognizer.find(pixels.getImageData(0, 0, pixels.canvas.width, pixels.canvas.height), asked);
  if (source !== from) return;
  found = { faces, ms: performance.now() - start };
  if (from.live) keepFrame(from, faces.map(toJson), isNew);
  show();
}

const longest = (from) => (from.live ? site.detector.fast : site.detector.longest);

function keepFrame(from, faces, isNew) {
  if (!isNew) {
    if (!from.skipped) from.frames.at(-1).faces = faces;
    return;
  }
  times.push(performance.now());
  if (times.length > SPEED_FRAMES) times.shift();
  if (from.frames.length >= MAX_FRAMES) from.skipped += 1;
  else from.frames.push({ time_s: Number(from.time.toFixed(3)), faces });
}

function show() {
  if (!found) return;
  const { faces, ms } = found, values = { faces: faces.length, ms: ms.toFixed(0), threads: recognizer.threads };
  draw(faces);
  element("faces").replaceChildren(...(faces.length ? faces.slice(0, 12).map(bars) : [paragraph(text("no_face"))]));
  element("download").hidden = false;
  if (element("status").classList.contains("error")) return; // of what was asked for beside this source
  if (times.length < 2) return say("speed", values);
  const rate = (1000 * (times.length - 1)) / (times.at(-1) - times[0]);
  say("rate", { ...values, rate: rate.toFixed(0) });
}

const name = (face) => site.names[language][face.best];
const sure = (face) => face.probs[face.best] >= site.min_prob;
const percent = (prob) => `${Math.round(100 * prob)} %`;

function draw(faces) {
  const { width, height } = pixels.canvas, pen = canvas.getContext("2d");
  Object.assign(canvas, { width, height, hidden: false });
  element("hint").hidden = true;
  pen.drawImage(pixels.canvas, 0, 0);
  const side = Math.max(width, height), line = Math.max(1, Math.round(side / 350));
  pen.lineWidth = line;
  pen.textBaseline = "bottom";
  for (const face of faces) {
    const [left, top, right, bottom] = face.box;
    pen.strokeStyle = pen.fillStyle = site.colors[face.best];
    pen.strokeRect(left, top, right - left, bottom - top);
    for (const [x, y] of face.points || []) {
      pen.beginPath();
      pen.arc(x, y, Math.max(1, (right - left) / 60), 0, 7);
      pen.fill();
    }
    const size = Math.min(Math.max(12, (right - left) / 6), side / 25 + 12);
    const words = `${name(face)}${sure(face) ? "" : "?"} ${percent(face.probs[face.best])}`;
    pen.font = `600 ${size}px system-ui, sans-serif`;
    const wide = pen.measureText(words).width + size / 2, tall = size * 1.3;
    const x = Math.max(0, Math.min(left - line / 2, width - wide)), y = Math.max(top, tall);
    pen.fillRect(x, y - tall, wide, tall);
    pen.fillStyle = "#fff";
    pen.fillText(words, x + size / 4, y - tall * 0.08);
  }
  canvas.setAttribute("aria-label", faces.map((face) => `${name(face)} ${percent(face.probs[face.best])}`).join(", ") || text("no_face"));
}

function make(tag, className, ...children) {
  const made = Object.assign(document.createElement(tag), { className });
  made.append(...children);
  return made;
}

const paragraph = (words) => make("p", "", words);

function bars(face, index) {
  const rows = face.probs.map((prob, at) => {
    const bar = make("i", "");
    Object.assign(bar.style, { width: `${100 * prob}%`, background: site.colors[at] });
    return make("div", "bar", make("span", "", site.names[language][at]), bar, make("span", "", percent(prob)));
  });
  return make("div", "face", make("h3", "", `${index + 1} · ${name(face)}`), ...rows);
}

// As Face.to_json of Python.
function toJson(face) {
  const round = (value, digits) => Number(value.toFixed(digits));
  return {
    box_xyxy: face.box.map((side) => round(side, 2)),
    score: round(face.score, 4),
    label: site.classes[face.best],
    sure: sure(face),
    probs: Object.fromEntries(site.classes.map((one, index) => [one, round(face.probs[index], 4)])),
    ...(face.points && { points_xy: face.points.map((point) => point.map((value) => round(value, 2))) }),
  };
}

function download() {
  const content = { source: source.name, network: site.expression.name, detector: site.detector.name, longest_px: longest(source) };
  const result = source.live ? { frames: source.frames, frames_skipped: source.skipped } : { faces: found.faces.map(toJson) };
  const blob = new Blob([JSON.stringify({ ...content, ...result }, null, 2)], { type: "application/json" });
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: "faces.json" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function stop() {
  if (source) release(source);
  if (source?.stream) due = false; // a camera that was stopped shows black
  element("stop").hidden = true;
}

function release({ picture, stream }) {
  stream?.getTracks().forEach((track) => track.stop());
  picture?.pause?.();
}

// Shows what is being opened, or says its problem, unless another source has been asked for meanwhile.
async function choose(opening) {
  const turn = ++turns, made = await opening;
  if (turn !== turns) return release(made);
  if (made.problem) return say(...made.problem);
  stop();
  [source, found, due, times.length] = [made, null, !made.live, 0];
  element("status").classList.remove("error");
  element("stop").hidden = !made.live;
  if (made.live) await follow(made);
  else await update();
}

// A hidden tab shows no frames: a video waits, so that none of it is passed over.
function wait() {
  if (!source?.live || source.stream || element("stop").hidden) return;
  if (document.hidden) source.picture.pause();
  else source.picture.play();
}

// Recognizes frame after frame until another source is chosen or it is stopped.
async function follow(made) {
  const next = () => new Promise((done) => made.picture.requestVideoFrameCallback(done));
  let frame = next();
  await made.picture.play();
  for (;;) {
    await frame;
    if (source !== made || made.stream?.active === false) return; // a camera that was stopped shows black once more
    frame = next(); // one that comes while this one is recognized is not waited for
    due = true;
    await update();
  }
}

async function openFile(file) {
  let made;
  try {
    made = await (file.type.startsWith("video/") ? openVideo(file) : openImage(file));
  } catch (error) {
    if (!(error instanceof DOMException || error instanceof MediaError)) throw error;
    return { problem: ["bad_file", { name: file.name }] };
  }
  const { videoWidth, videoHeight, width, height } = made.picture;
  const large = Math.max(videoWidth || width, videoHeight || height) > MAX_SIDE;
  return large ? { problem: ["too_large", { name: file.name, most: MAX_SIDE }] } : made;
}

async function openImage(file) {
  // Pixels as they are stored: no color profile, as in Python.
  return { name: file.name, picture: await createImageBitmap(file, { colorSpaceConversion: "none" }) };
}

async function openExample() {
  return openFile(new File([await (await fetch("example.jpg")).blob()], "example.jpg"));
}

async function openVideo(file) {
  const video = await openPlayer({ src: URL.createObjectURL(file) });
  return { name: file.name, picture: video, live: true, frames: [], skipped: 0 };
}

function openPlayer(given) {
  const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true, ...given });
  return new Promise((done, fail) => {
    video.onloadeddata = () => done(video);
    video.onended = stop;
    video.onerror = () => fail(video.error);
  });
}

async function openCamera() {
  if (!isSecureContext) return { problem: ["camera_https"] };
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 } } });
  } catch (error) {
    const key = error.name === "NotAllowedError" ? "camera_refused" : "camera_missing";
    return { problem: [key, { reason: error.message }] };
  }
  const video = await openPlayer({ srcObject: stream, autoplay: true });
  stream.getTracks()[0].onended = stop; // unplugged, or taken back by the visitor
  return { name: "camera", picture: video, live: true, frames: [], skipped: 0, stream };
}

function listen() {
  element("file").onchange = ({ target }) => {
    if (target.files.length) choose(openFile(target.files[0]));
    target.value = "";
  };
  element("camera").onclick = () => choose(openCamera());
  element("example").onclick = () => choose(openExample());
  element("stop").onclick = stop;
  document.onvisibilitychange = wait;
  element("download").onclick = download;
  landmarks.onchange = update;
  score.oninput = () => {
    element("score_value").value = Number(score.value).toFixed(2);
    update();
  };
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      element("stage").classList.toggle("over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) choose(openFile(event.dataTransfer.files[0]));
    });
  }
  document.addEventListener("paste", ({ clipboardData }) => clipboardData.files.length && choose(openFile(clipboardData.files[0])));
  for (const id of ["file", "camera", "example"]) element(id).disabled = false;
}

async function start() {
  site = await (await fetch("site.json")).json();
  element("language").onclick = () => {
    language = language === "zh" ? "en" : "zh";
    showTexts();
  };
  score.value = site.min_score;
  element("score_value").value = site.min_score.toFixed(2);
  element("landmarks_row").hidden = !site.landmarks;
  said = ["loading", { mb: site.mb }];
  showTexts();
  navigator.serviceWorker?.register("sw.js");
  try {
    recognizer = await Recognizer.load(site);
  } catch (error) {
    return say("not_loaded", { reason: error.message });
  }
  listen();
  say("ready");
}

start();
