// Live values, ages and count-downs. Everything here only adds to a page that works without it.
const body = document.body;
const words = body.dataset;
const english = document.documentElement.lang === "en";
let ahead = Number(words.now) - Date.now(); // the hub's clock rules, not the phone's

const SIZES = [[86400000, "d", "天", "天"], [3600000, "h", "小时", "小时"],
  [60000, "min", "分钟", "分"], [1000, "s", "秒", "秒"]];

function now() {
  return Date.now() + ahead;
}

function ago(age) {
  if (age < 5000) return english ? "just now" : "刚刚";
  const size = SIZES.find(([length]) => age >= length) ?? SIZES[3];
  const count = Math.floor(Math.max(age, 0) / size[0]);
  return english ? `${count} ${size[1]} ago` : `${count} ${size[2]}前`;
}

function span(length) {
  let left = Math.max(length, 0);
  const parts = SIZES.map(([size, en, , zh]) => {
    const count = Math.floor(left / size);
    left -= count * size;
    return [count, english ? en : zh];
  });
  const first = Math.max(0, parts.findIndex(([count]) => count > 0));
  const told = parts.slice(first, first + 2).filter(([count]) => count > 0);
  return told.map(([count, word]) => `${count} ${word}`).join(" ") || `0 ${parts[3][1]}`;
}

function write(value, decimals) {
  return value.toLocaleString("en", { minimumFractionDigits: decimals,
    maximumFractionDigits: decimals }).replace(/^-(?=[0.,]*$)/, "");
}

function show(element, at, value, quality) {
  const output = element.querySelector("output");
  const { decimals, on, off } = element.dataset;
  const usable = value !== null && quality !== "bad" && quality !== "missing";
  element.dataset.at = at;
  element.dataset.usable = usable ? "1" : "";
  element.querySelector(".doubt").textContent = quality === "uncertain" ? words.doubtWord : "";
  const text = !usable ? "-" : on ? (value ? on : off) : write(value, Number(decimals));
  if (text === output.textContent) return;
  output.textContent = text;
  element.classList.remove("fresh");
  void element.offsetWidth; // start the flash again
  element.classList.add("fresh");
}

function grow(element) {
  if (!element.dataset.at) return;
  const age = now() - Number(element.dataset.at);
  element.querySelector(".age").textContent = ago(age);
  const unusable = element.dataset.usable === "";
  const old = age > Number(element.dataset.oldAfter) || unusable;
  element.classList.toggle("old", old);
  element.querySelector(".word").textContent = unusable ? words.badWord : words.oldWord;
}

function countDown(element) {
  const left = Number(element.dataset.due) - now();
  const pattern = left >= 0 ? words.leftWord : words.overWord;
  element.textContent = pattern.replace("{span}", span(Math.abs(left)));
  element.classList.toggle("late", left < 0);
  element.classList.toggle("soon", left >= 0 && left < Number(element.dataset.soon));
}

function everySecond() {
  document.querySelectorAll("[data-old-after]").forEach(grow);
  document.querySelectorAll("[data-due]").forEach(countDown);
}

function receive(event) {
  const content = JSON.parse(event.data);
  ahead = content.now_ms - Date.now();
  body.classList.remove("lost");
  for (const [point, at, value, quality] of content.readings) {
    document.querySelectorAll(`[data-point="${CSS.escape(point)}"]`)
      .forEach((element) => show(element, at, value, quality));
  }
  everySecond();
}

body.classList.add("scripted");
setInterval(everySecond, 1000);
if (words.stream) {
  const source = new EventSource(words.stream);
  let heard = Date.now();
  source.addEventListener("readings", (event) => { heard = Date.now(); receive(event); });
  source.addEventListener("error", () => body.classList.add("lost"));
  setInterval(() => { if (Date.now() - heard > 40000) body.classList.add("lost"); }, 5000);
}

window.addEventListener("offline", () => body.classList.add("lost"));

// A form that was sent is not sent again by a second press.
document.addEventListener("submit", (event) => {
  const button = event.target.querySelector("button:not([name])");
  if (button) setTimeout(() => { button.disabled = true; }, 0);
});
window.addEventListener("pageshow", () => {
  document.querySelectorAll("button:disabled").forEach((button) => { button.disabled = false; });
});
