// The calculator of "Larger than memory": what a recording costs on so many workers.

"use strict";

/**
 * Return what a recording costs.
 *
 * @param {object} given
 *   amount, unit: size of the recording, in "TB" or in "Gvoxel"; bytes: of a voxel;
 *   microseconds: of a worker for one voxel of the result; factor: voxels of the result for one of
 *   the recording; workers: their number; price: of one worker for an hour.
 * @return {object} voxels of the recording, hours until the end, workerHours, price, and terabytes
 *   of the result with its coarser levels, before compression.
 */
function costOf(given) {
  const voxels = given.unit === "TB" ? (given.amount * 1e12) / given.bytes : given.amount * 1e9;
  const made = voxels * given.factor;
  const workerHours = (made * given.microseconds) / 1e6 / 3600;
  return {
    voxels: voxels,
    hours: workerHours / given.workers,
    workerHours: workerHours,
    price: workerHours * given.price,
    terabytes: (made * 4 * (4 / 3)) / 1e12,
  };
}

/** Return a number with three digits that count. */
function digits(number) {
  if (number >= 100) return String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, " ");
  return Number(number.toPrecision(3)).toString();
}

/** Return a time as minutes, hours or days. */
function duration(hours) {
  if (hours < 1) return digits(hours * 60) + " min";
  return hours < 72 ? digits(hours) + " h" : digits(hours / 24) + " days";
}

/** Return what the calculator says of a cost. */
function sentenceOf(cost) {
  if (!Object.values(cost).every((one) => Number.isFinite(one) && one >= 0)) {
    return "Enter numbers above 0.";
  }
  return (
    duration(cost.hours) + " (" + digits(cost.workerHours) + " hours of a worker, price " +
    digits(cost.price) + "); the result takes up to " + digits(cost.terabytes) + " TB."
  );
}

/** Fill the calculator of a page, and follow its fields. */
function startCalculator(form) {
  const costs = JSON.parse(form.dataset.costs);
  const field = (name) => form.elements.namedItem(name);
  const number = (name) => Number.parseFloat(field(name).value);
  for (const name of Object.keys(costs)) {
    field("method").add(new Option(name, name));
  }
  const show = () => {
    const cost = costOf({
      amount: number("amount"), unit: field("unit").value, bytes: number("bytes"),
      microseconds: number("microseconds"), factor: costs[field("method").value].factor,
      workers: number("workers"), price: number("price"),
    });
    form.querySelector("output").textContent = sentenceOf(cost);
  };
  const choose = () => {
    field("microseconds").value = costs[field("method").value].microseconds;
    show();
  };
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => (event.target.name === "method" ? choose() : show()));
  form.hidden = false;
  choose();
}

if (typeof document !== "undefined") {
  document.addEventListener("DOMContentLoaded", () => {
    const form = document.getElementById("cost-of-a-recording");
    if (form !== null) startCalculator(form);
  });
}
