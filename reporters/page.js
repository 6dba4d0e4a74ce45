//<![CDATA[
// Reads the numbers from the table beside the chart and shows those of one moment in a crosshair.
(function () {
  var stage = document.getElementById("stage"), table = document.getElementById("numbers");
  if (!stage || !table) { return; }
  var track = stage.querySelector(".plot .track");
  var rows = table.tBodies[0].rows, head = table.tHead.rows[0].cells, at = -1;
  var cross = document.createElement("div"), tip = document.createElement("div");
  cross.className = "cross"; tip.className = "tip"; tip.setAttribute("role", "status");
  cross.hidden = tip.hidden = true;
  stage.append(cross, tip);
  stage.tabIndex = 0;
  function mid(i) { return parseFloat(rows[i].getAttribute("data-mid")); }
  function nearest(f) {
    var low = 0, high = rows.length - 1;
    while (low < high) {
      var m = (low + high) >> 1;
      if (mid(m) < f) { low = m + 1; } else { high = m; }
    }
    return low > 0 && f - mid(low - 1) < mid(low) - f ? low - 1 : low;
  }
  function show(i) {
    if (i < 0 || i >= rows.length) { return; }
    at = i;
    var box = stage.getBoundingClientRect(), t = track.getBoundingClientRect();
    var x = t.left - box.left + mid(i) * t.width;
    cross.hidden = tip.hidden = false;
    cross.style.left = x + "px";
    tip.textContent = "";
    for (var c = 0; c < head.length; c++) {
      var text = rows[i].cells[c].textContent;
      if (!text) { continue; }
      var line = document.createElement(c === 0 ? "b" : "span");
      if (c === 0) {
        line.textContent = text;
      } else {
        var name = document.createElement("span");
        name.textContent = head[c].textContent;
        line.append(name, text);
      }
      tip.append(line);
    }
    var right = x + 14 + tip.offsetWidth > box.width;
    tip.style.left = Math.max(0, right ? x - 14 - tip.offsetWidth : x + 14) + "px";
    tip.style.top = track.getBoundingClientRect().top - box.top + 8 + "px";
  }
  function hide() { cross.hidden = tip.hidden = true; at = -1; }
  stage.addEventListener("pointermove", function (e) {
    var t = track.getBoundingClientRect(), f = (e.clientX - t.left) / t.width;
    if (f < 0 || f > 1) { hide(); } else { show(nearest(f)); }
  });
  stage.addEventListener("pointerleave", hide);
  stage.addEventListener("blur", hide);
  stage.addEventListener("keydown", function (e) {
    var by = e.shiftKey ? 10 : 1;
    if (e.key === "ArrowRight") { show(Math.min(at + by, rows.length - 1)); }
    else if (e.key === "ArrowLeft") { show(Math.max(at < 0 ? rows.length - 1 : at - by, 0)); }
    else if (e.key === "Escape") { hide(); }
    else { return; }
    e.preventDefault();
  });
})();
//]]>
