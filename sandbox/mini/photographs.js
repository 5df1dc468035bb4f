// The phone's camera: the sandbox draws a paper that says what it would be, bright and sharp enough to be read, and nobody's.

const [WIDTH, HEIGHT] = [1200, 800];

export async function photograph(label) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [WIDTH, HEIGHT];
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#cfd8dc";
  pen.fillRect(0, 0, WIDTH, HEIGHT);
  pen.fillStyle = "#fdfcf7";
  pen.fillRect(60, 60, WIDTH - 120, HEIGHT - 120);
  pen.strokeStyle = "#37474f";
  pen.lineWidth = 4;
  pen.strokeRect(60, 60, WIDTH - 120, HEIGHT - 120);
  pen.fillStyle = "#1c2a30";
  pen.font = "600 64px sans-serif";
  pen.fillText(label, 120, 190);
  pen.font = "36px sans-serif";
  pen.fillText("样张：沙箱所画，不是任何人的证件", 120, 260);
  for (let line = 0; line < 9; line += 1) {
    for (let mark = 0; mark < 22; mark += 1) pen.fillRect(120 + mark * 44, 320 + line * 42, 14 + ((line * 7 + mark * 5) % 26), 14);
  }
  const picture = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
  return picture.arrayBuffer();
}

// Bytes as something an <img> or a download can show; whoever asked lets go of it.
export function address(bytes, type) {
  const url = URL.createObjectURL(new Blob([bytes], { type }));
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return url;
}
