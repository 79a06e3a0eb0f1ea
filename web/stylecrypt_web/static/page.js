// Makes the page more comfortable. Without it everything works but sharing, copying, dropping, the camera, and tapping faces.
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const say = (element, text) => { element.textContent = text; };

// A picture from the camera, instead of a file.
const withCamera = (drop, start, take, tell) => {
  const live = drop.querySelector("[data-live]"), video = live.querySelector("video"), canvas = drop.querySelector("canvas");
  const close = () => {
    for (const track of video.srcObject.getTracks()) track.stop();
    video.srcObject = null;
    live.hidden = true;
    start.hidden = false;
    start.focus();
  };
  start.addEventListener("click", async () => {
    tell("");
    start.disabled = true;
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 3840 }, height: { ideal: 2160 } } });
      await video.play();
    } catch (error) { tell(error.name === "NotAllowedError" ? start.dataset.refused : start.dataset.none); return; } finally { start.disabled = false; }
    start.hidden = canvas.hidden = true;
    live.hidden = false;
    live.querySelector("[data-take]").focus();
  });
  live.querySelector("[data-take]").addEventListener("click", () => {
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    close();
    canvas.toBlob((picture) => {
      const files = new DataTransfer();
      files.items.add(new File([picture], "camera.jpg", { type: picture.type }));
      take(files.files);
      canvas.hidden = false;
    }, "image/jpeg", 0.95);
  });
  live.querySelector("[data-close]").addEventListener("click", close);
  live.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  start.hidden = false;
};

// Drop, paste or choose files.
for (const drop of all(".drop")) {
  const input = drop.querySelector("input[type=file]"), said = drop.querySelector("[data-say]");
  const chosen = () => {
    const files = [...input.files], taken = drop.querySelector("canvas");
    if (taken) taken.hidden = true;
    if (files.some((file) => file.size > Number(drop.dataset.most))) {
      input.value = "";
      say(said, drop.dataset.large);
    } else {
      say(said, files.map((file) => file.name).join(", "));
      if (files.length && "send" in drop.dataset) input.form.requestSubmit();
    }
  };
  const take = (files) => { if (files.length) { input.files = files; chosen(); } };
  const camera = drop.querySelector("[data-camera]");
  if (camera && navigator.mediaDevices) withCamera(drop, camera, take, (text) => say(said, text));
  input.addEventListener("change", chosen);
  for (const kind of ["dragover", "dragenter"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files); });
  if ("send" in drop.dataset && drop === document.querySelector(".drop")) {
    document.addEventListener("paste", (event) => take(event.clipboardData.files));
  }
}
// A file that misses its place must not replace the page.
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());

for (const form of all("form")) {
  // Nothing is done twice. A form that gives a file leaves the page where it is.
  const enable = (able) => { for (const button of all("button", form)) button.disabled = !able; };
  form.addEventListener("submit", () => { setTimeout(enable, 0, false); setTimeout(enable, 3000, true); });
}

// Tap a face for the next of the ways that its row offers.
for (const face of all("[data-face]")) {
  const radios = all(`input[name="face-${face.dataset.face}"]`);
  const [left, top, width, height] = face.dataset.box.split(" ").map((share) => `${100 * Number(share)}%`);
  Object.assign(face.style, { left, top, width, height });
  const show = () => {
    const radio = radios.find((one) => one.checked), word = radio.nextElementSibling.textContent;
    face.dataset.way = radio.value;
    const shown = `${face.dataset.face} · ${word}`;
    say(face.firstElementChild, shown);
    face.setAttribute("aria-label", `${shown}. ${face.dataset.name}. ${face.dataset.hint}`);
  };
  for (const radio of radios) radio.addEventListener("change", show);
  face.addEventListener("click", () => {
    radios[(radios.findIndex((one) => one.checked) + 1) % radios.length].checked = true;
    show();
  });
  face.hidden = false;
  show();
}

// Long work.
const work = document.querySelector("[data-work]");
if (work) {
  const bar = work.querySelector("progress"), said = work.querySelector("[data-say]");
  const look = async () => {
    try {
      const state = await (await fetch(work.dataset.work)).json();
      if (state.next) { location.replace(state.next); return; }
      if (said.textContent !== state.step) say(said, state.step);
      if (state.total > 1) { bar.max = state.total; bar.value = state.done; } else { bar.removeAttribute("value"); }
    } catch { say(said, document.body.dataset.ended); return; }
    setTimeout(look, 300);
  };
  look();
}

// Share and copy.
const said = (button) => button.closest("section").querySelector("[data-say]");
const file = async (url, name) => {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(answer.status);
  const data = await answer.blob();
  return new File([data], name, { type: data.type });
};
for (const button of all("[data-share]")) {
  const probe = new File(["x"], "x.jpg", { type: "image/jpeg" });
  if (!navigator.canShare || !navigator.canShare({ files: [probe] })) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      const files = [await file(button.dataset.share, button.dataset.name)];
      if (button.dataset.also) files.push(await file(button.dataset.also, button.dataset.alsoName));
      await navigator.share({ files });
    } catch (error) { if (error.name !== "AbortError") say(said(button), error.message); }
  });
}
for (const button of all("[data-copy]")) {
  if (!navigator.clipboard || !window.ClipboardItem) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.write([new ClipboardItem({ "image/png": file(button.dataset.copy, "x.png") })]);
      say(said(button), button.dataset.copied);
    } catch (error) { say(said(button), error.message); }
  });
}
for (const button of all("[data-copy-text]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copyText).value);
      say(said(button), button.dataset.copied);
    } catch (error) { say(said(button), error.message); }
  });
}

// The profile locks by itself, and then nothing of it stays on the screen.
const watch = document.body.dataset.watch;
if (watch) {
  setInterval(async () => {
    try {
      const state = await (await fetch(watch)).json();
      if (state.locked) location.replace(state.next);
    } catch { document.querySelector("main").textContent = document.body.dataset.ended; }
  }, 5000);
}
for (const alert of all(".alert.bad[role=alert]")) { alert.tabIndex = -1; alert.focus(); }
