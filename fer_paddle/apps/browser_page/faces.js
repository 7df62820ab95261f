// Pixels in, faces out: the arithmetic of images.py, boxes.py, decode.py and pipeline.py, number for number.
// An image is { data, width, height }, RGBA as a canvas gives it.
import * as ort from "./runtime/ort.wasm.bundle.min.mjs";

const MAX_LOG_SIZE = 10; // as decode.py
const AVERAGED = 2 / 3; // as boxes.py
const roundHalfUp = (value) => Math.floor(value + 0.5); // as images._round
const sigmoid = (x) => 0.5 + 0.5 * Math.tanh(0.5 * x);

// Python's and OpenCV's rounding.
export function roundHalfEven(value) {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor & 1) : Math.round(value);
}

// Share of each source pixel in each target pixel of one axis, as OpenCV's INTER_AREA: `most` weights a target pixel.
function areaShares(from, to) {
  const scale = 1 / (to / from), most = Math.ceil(scale) + 2;
  const firsts = new Int32Array(to), counts = new Int32Array(to), weights = new Float32Array(to * most);
  for (let index = 0; index < to; index++) {
    const start = index * scale, end = start + scale, cell = Math.min(scale, from - start);
    const last = Math.min(Math.floor(end), from - 1), first = Math.min(Math.ceil(start), last);
    const shares = Array(last - first).fill(1 / cell);
    if (first - start > 1e-3) shares.unshift((first - start) / cell);
    if (end - last > 1e-3) shares.push(Math.min(end - last, 1, cell) / cell);
    firsts[index] = first - (first - start > 1e-3 ? 1 : 0);
    counts[index] = shares.length;
    weights.set(shares, index * most);
  }
  return { firsts, counts, weights, most };
}

// Shrink by averaging, as cv2.resize(INTER_AREA); `channels` of `step` bytes a pixel are read.
export function shrink({ data, width, height }, newWidth, newHeight, channels, step) {
  const out = new Uint8ClampedArray(newWidth * newHeight * channels); // rounds halves to even, as OpenCV
  if (width === 2 * newWidth && height === 2 * newHeight) {
    halve(data, width, newWidth, newHeight, channels, step, out);
    return { data: out, width: newWidth, height: newHeight };
  }
  const columns = areaShares(width, newWidth), rows = areaShares(height, newHeight), length = newWidth * channels;
  const row = new Float32Array(length), sum = new Float32Array(length);
  for (let y = 0; y < newHeight; y++) {
    sum.fill(0);
    for (let below = 0; below < rows.counts[y]; below++) {
      shrinkRow(data, (rows.firsts[y] + below) * width * step, columns, channels, step, row);
      const share = rows.weights[y * rows.most + below];
      for (let i = 0; i < length; i++) sum[i] += Math.fround(share * row[i]);
    }
    out.set(sum, y * length);
  }
  return { data: out, width: newWidth, height: newHeight };
}

function shrinkRow(data, start, { firsts, counts, weights, most }, channels, step, row) {
  for (let x = 0, at = 0; x < firsts.length; x++) {
    for (let channel = 0; channel < channels; channel++, at++) {
      let total = Math.fround(0), from = start + firsts[x] * step + channel;
      for (let i = x * most, end = i + counts[x]; i < end; i++, from += step) {
        total = Math.fround(total + Math.fround(data[from] * weights[i]));
      }
      row[at] = total;
    }
  }
}

// OpenCV rounds the mean of 2 x 2 pixels half up.
function halve(data, width, newWidth, newHeight, channels, step, out) {
  const below = width * step;
  for (let y = 0, at = 0; y < newHeight; y++) {
    for (let x = 0; x < newWidth; x++) {
      for (let channel = 0, from = 2 * (y * below + x * step); channel < channels; channel++, from++) {
        out[at++] = (data[from] + data[from + step] + data[from + below] + data[from + below + step] + 2) >> 2;
      }
    }
  }
}

// Two source pixels and their weights in 1/2048 of each target pixel of one axis, as OpenCV's INTER_LINEAR of uint8.
function linearShares(from, to) {
  const scale = 1 / (to / from), inside = (pixel) => Math.min(Math.max(pixel, 0), from - 1);
  return Array.from({ length: to }, (_, index) => {
    const place = Math.fround((index + 0.5) * scale - 0.5), first = Math.floor(place), rest = Math.fround(place - first);
    const weights = [Math.fround(1 - rest), rest].map((weight) => roundHalfEven(weight * 2048));
    return [inside(first), inside(first + 1), ...weights];
  });
}

// Scale as cv2.resize(INTER_LINEAR), in its fixed-point numbers.
export function interpolate({ data, width, height }, newWidth, newHeight, channels, step) {
  const columns = linearShares(width, newWidth), out = new Uint8ClampedArray(newWidth * newHeight * channels);
  let at = 0;
  for (const [top, bottom, above, below] of linearShares(height, newHeight)) {
    for (const [left, right, before, after] of columns) {
      for (let channel = 0; channel < channels; channel++) {
        const pixel = (x, y) => data[(y * width + x) * step + channel];
        const mix = (y) => (pixel(left, y) * before + pixel(right, y) * after) >> 4;
        out[at++] = (((above * mix(top)) >> 16) + ((below * mix(bottom)) >> 16) + 2) >> 2;
      }
    }
  }
  return { data: out, width: newWidth, height: newHeight };
}

// Gray to size x size: images.resize.
export function resizeGray(gray, size) {
  const width = Math.min(gray.width, size), height = Math.min(gray.height, size);
  const small = width < gray.width || height < gray.height ? shrink(gray, width, height, 1, 1) : gray;
  return small.width < size || small.height < size ? interpolate(small, size, size, 1, 1) : small;
}

// The square around a box, in gray: images.cut_square and to_gray.
export function cutGray({ data, width, height }, [x1, y1, x2, y2], margin) {
  const side = Math.max(1, roundHalfUp(Math.max(x2 - x1, y2 - y1) * (1 + 2 * margin)));
  const left = roundHalfUp((x1 + x2 - side) / 2), top = roundHalfUp((y1 + y2 - side) / 2);
  const gray = new Uint8ClampedArray(side * side);
  for (let y = 0, at = 0; y < side; y++) {
    const row = Math.min(Math.max(top + y, 0), height - 1) * width;
    for (let x = 0; x < side; x++) {
      const from = 4 * (row + Math.min(Math.max(left + x, 0), width - 1));
      gray[at++] = (9798 * data[from] + 19235 * data[from + 1] + 3735 * data[from + 2] + 16384) >> 15; // as OpenCV
    }
  }
  return { data: gray, width: side, height: side, left, top };
}

// The detector's input [3, h, w], blue, green, red in 0..1, and where the image lies in it: boxes.letterbox.
export function letterbox(image, longest, stride, padGray) {
  const scale = longest / Math.max(image.width, image.height);
  const [width, height] = [image.width, image.height].map((side) => Math.max(1, roundHalfEven(side * scale)));
  const [padWidth, padHeight] = [width, height].map((side) => Math.ceil(side / stride) * stride);
  const left = (padWidth - width) >> 1, top = (padHeight - height) >> 1, plane = padWidth * padHeight;
  const same = width === image.width && height === image.height;
  const scaled = same ? image : (scale <= AVERAGED ? shrink : interpolate)(image, width, height, 3, 4);
  const step = same ? 4 : 3, input = new Float32Array(3 * plane).fill(Math.fround(padGray * Math.fround(1 / 255)));
  for (let y = 0, from = 0; y < height; y++) {
    for (let x = 0, to = (top + y) * padWidth + left; x < width; x++, to++, from += step) {
      for (let channel = 0; channel < 3; channel++) {
        input[channel * plane + to] = scaled.data[from + 2 - channel] * Math.fround(1 / 255);
      }
    }
  }
  return { input, shape: [1, 3, padHeight, padWidth], scale, left, top };
}

// Boxes in pixels of the network's input that score enough: decode.decode_above.
export function decode(heads, { anchors, strides }, minScore) {
  const found = [], perHead = anchors.length / strides.length;
  heads.forEach(({ data, dims }, head) => {
    const [rows, columns] = dims.slice(2), cells = rows * columns, stride = strides[head];
    for (let anchor = 0; anchor < perHead; anchor++) {
      const [width, height] = anchors[anchors.length - (head + 1) * perHead + anchor];
      for (let cell = 0; cell < cells; cell++) {
        const raw = (channel) => data[(anchor * dims[1] / perHead + channel) * cells + cell];
        const objectness = sigmoid(raw(4));
        if (objectness < minScore) continue;
        const score = objectness * sigmoid(raw(5));
        if (score < minScore) continue;
        const x = (sigmoid(raw(0)) + (cell % columns)) * stride, y = (sigmoid(raw(1)) + Math.floor(cell / columns)) * stride;
        const [w, h] = [width, height].map((side, axis) => (Math.exp(Math.min(raw(2 + axis), MAX_LOG_SIZE)) * side) / 2);
        found.push({ box: [x - w, y - h, x + w, y + h], score });
      }
    }
  });
  return found;
}

function overlap(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]), height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  const shared = Math.max(width, 0) * Math.max(height, 0);
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  return shared / (area(a) + area(b) - shared);
}

// Greedy non-maximum suppression, best first: decode.nms.
export function suppress(found, iou) {
  const kept = [];
  for (const one of [...found].sort((a, b) => b.score - a.score).slice(0, 1000)) {
    if (kept.every((other) => overlap(one.box, other.box) <= iou)) kept.push(one);
  }
  return kept;
}

// Whether most of what was found is small to the network: predict.are_small.
function areSmall(found, scale, { hint, small_px: small }) {
  const likely = found.filter(({ score }) => score >= hint);
  const sides = likely.map(({ box: [x1, y1, x2, y2] }) => Math.max(x2 - x1, y2 - y1) * scale).sort((a, b) => a - b);
  const middle = (sides[(sides.length - 1) >> 1] + sides[sides.length >> 1]) / 2;
  return middle < small;
}

// Whether a large face is in doubt, and is none that another box is sure of: predict.has_doubts.
function hasDoubts(found, side, { doubt, sure, large, elsewhere }) {
  const likely = found.filter(({ score }) => score >= sure);
  const isLarge = ({ box: [x1, y1, x2, y2] }) => Math.max(x2 - x1, y2 - y1) > large * side;
  const doubted = found.filter((one) => one.score >= doubt && one.score < sure && isLarge(one));
  return doubted.some(({ box }) => likely.every((other) => overlap(box, other.box) < elsewhere));
}

function softmax(logits, temperature) {
  const scaled = logits.map((logit) => logit / temperature), most = Math.max(...scaled);
  const powers = scaled.map((logit) => Math.exp(logit - most)), sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

// What site.json names, loaded: `find` is Pipeline's __call__.
export class Recognizer {
  static async load(site) {
    ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
    const load = (one) => one && ort.InferenceSession.create(new URL(one.file, import.meta.url).href);
    const made = new Recognizer();
    made.site = site;
    made.threads = ort.env.wasm.numThreads;
    for (const name of ["detector", "expression", "landmarks"]) made[name] = await load(site[name]);
    return made;
  }

  async find(image, { minScore, longest, landmarks }) {
    const { detector, expression, classes } = this.site;
    const boxes = await this.detect(image, minScore, longest || detector.longest);
    if (!boxes.length) return [];
    const [logits] = await this.runCrops("expression", boxes.map(({ box }) => cutGray(image, box, this.site.margin)));
    const faces = boxes.map(({ box, score }, row) => {
      let probs = softmax(logits.slice(row * classes.length, (row + 1) * classes.length), expression.temperature);
      if (expression.prior_ratios) {
        probs = probs.map((prob, index) => prob * expression.prior_ratios[index]);
        const sum = probs.reduce((a, b) => a + b);
        probs = probs.map((prob) => prob / sum);
      }
      return { box, score, probs, best: probs.indexOf(Math.max(...probs)) };
    });
    return landmarks && this.landmarks ? this.addPoints(image, faces) : faces;
  }

  // Detector's _find: closer where the faces are small, from afar where a large one is in doubt. A panorama is not seen
  // in pieces.
  async detect(image, minScore, longest) {
    const { detector } = this.site, side = Math.max(image.width, image.height);
    if (longest !== detector.longest) return this.look(image, minScore, longest);
    const most = Math.min(side, detector.closest * longest), least = Math.min(minScore, detector.doubt);
    let found = await this.look(image, least, longest);
    while (longest < most && areSmall(found, longest / side, detector)) {
      longest *= 2;
      found = await this.look(image, least, longest);
    }
    if (hasDoubts(found, side, detector)) {
      const afar = await this.look(image, least, detector.longest >> 1);
      found = suppress([...found, ...afar], detector.nms_iou);
    }
    return found.filter(({ score }) => score >= minScore);
  }

  async look(image, minScore, longest) {
    const { detector } = this.site, stride = detector.strides[0];
    const { input, shape, scale, left, top } = letterbox(image, longest, stride, detector.pad_gray);
    const outputs = await this.run("detector", new ort.Tensor("float32", input, shape));
    const limits = [image.width, image.height, image.width, image.height];
    const kept = suppress(decode(outputs, detector, minScore), detector.nms_iou);
    const place = (side, at) => Math.min(Math.max(Math.fround((side - (at % 2 ? top : left)) / scale), 0), limits[at]);
    const placed = kept.map(({ box, score }) => ({ box: box.map(place), score }));
    return placed.filter(({ box: [x1, y1, x2, y2] }) => x2 > x1 && y2 > y1);
  }

  async addPoints(image, faces) {
    const crops = faces.map(({ box }) => cutGray(image, box, this.site.landmarks.margin));
    const [points] = await this.runCrops("landmarks", crops), each = points.length / faces.length;
    return faces.map((face, row) => {
      const { left, top, width } = crops[row], own = Array.from(points.slice(row * each, (row + 1) * each));
      const placed = own.map((place, at) => (at % 2 ? top : left) + place * width);
      return { ...face, points: placed.filter((_, at) => at % 2 === 0).map((x, at) => [x, placed[2 * at + 1]]) };
    });
  }

  // images.faces_to_batch and the network.
  async runCrops(name, crops) {
    const size = this.site[name].input_size, { mean, std } = this.site;
    const batch = new Float32Array(crops.length * size * size);
    crops.forEach((crop, row) => {
      const pixels = Float32Array.from(resizeGray(crop, size).data, (pixel) => (Math.fround(pixel / 255) - mean) / std);
      batch.set(pixels, row * size * size);
    });
    const outputs = await this.run(name, new ort.Tensor("float32", batch, [crops.length, 1, size, size]));
    return outputs.map(({ data }) => Array.from(data));
  }

  async run(name, input) {
    const session = this[name], outputs = await session.run({ [session.inputNames[0]]: input });
    return session.outputNames.map((output) => outputs[output]);
  }
}
