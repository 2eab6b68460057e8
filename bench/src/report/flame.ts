import type { Call, CallTree } from './call-tree';
import { ANONYMOUS, ORIGINS, type Frame, type Origin } from './frame';

const WIDTH = 1_200;
const MARGIN = 10;
const INNER_WIDTH = WIDTH - 2 * MARGIN;
const ROW_HEIGHT = 17;
const HEAD_HEIGHT = 78;
const FONT = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace";
/** Of the widest of these fonts at 11 px: what fits, fits everywhere. */
const LETTER_WIDTH = 6.63;
/** Of a name that is cut off, the fewest that still say something. */
const FEWEST_LETTERS = 5;
const LEAST_SHARE = 0.001;

interface Box {
  call: Call;
  x: number;
  width: number;
  /** 0 for the lowest row. */
  level: number;
}

/** An SVG that needs no script: callers below, callees upon them, as wide as their share of the time. */
export function flameGraphOf(title: string, role: string, { root, idleUs }: CallTree): string {
  const boxes = boxesOf(root, root.totalUs, MARGIN, 0);
  const levels = Math.max(...boxes.map(({ level }) => level)) + 1;
  const height = HEAD_HEIGHT + levels * ROW_HEIGHT + MARGIN;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">`,
    `<title>${escape(title)}</title>`,
    `<style>text { font: 11px ${FONT}; fill: #1c1917 } .title { font-size: 15px; font-weight: bold } rect { stroke: #fff; stroke-width: .5 }</style>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text class="title" x="${MARGIN}" y="24">${escape(title)}</text>`,
    `<text x="${MARGIN}" y="43">${escape(noteOf(role, root.totalUs, idleUs))}</text>`,
    ...legendOf(root),
    ...boxes.map((box) => drawn(box, root.totalUs, height - MARGIN)),
    '</svg>',
    '',
  ].join('\n');
}

function noteOf(role: string, busyUs: number, idleUs: number): string {
  const seconds = (busyUs / 1_000_000).toFixed(2);
  const idle = percentOf(idleUs, busyUs + idleUs);
  return `Process "${role}" while measured: busy for ${seconds} s; idle time, ${idle}, is left out. Self time by where the code is from:`;
}

/** Of a call and of all above it; the widest callee first. */
function boxesOf(call: Call, allUs: number, x: number, level: number): Box[] {
  const width = (INNER_WIDTH * call.totalUs) / allUs;
  const boxes: Box[] = [{ call, x, width, level }];
  let calleeX = x;
  for (const callee of [...call.callees].sort(byTotal)) {
    if (callee.totalUs < allUs * LEAST_SHARE) break;
    boxes.push(...boxesOf(callee, allUs, calleeX, level + 1));
    calleeX += (INNER_WIDTH * callee.totalUs) / allUs;
  }
  return boxes;
}

function byTotal(a: Call, b: Call): number {
  return b.totalUs - a.totalUs || (a.frame.name < b.frame.name ? -1 : 1);
}

/** Each origin that was found, with the share of the time in which its code was running itself. */
function legendOf(root: Call): string[] {
  const selfUs = new Map<Origin, number>();
  addSelfUs(root, selfUs);
  let x = MARGIN;
  return ORIGINS.filter((origin) => selfUs.get(origin)).map((origin) => {
    const text = `${origin.name} ${percentOf(selfUs.get(origin) ?? 0, root.totalUs)}`;
    const entry = `<rect x="${x}" y="55" width="12" height="12" fill="${origin.colour}"/><text x="${x + 16}" y="65">${text}</text>`;
    x += Math.round(16 + text.length * LETTER_WIDTH + 14);
    return entry;
  });
}

function addSelfUs({ frame, selfUs, callees }: Call, sums: Map<Origin, number>): void {
  sums.set(frame.origin, (sums.get(frame.origin) ?? 0) + selfUs);
  for (const callee of callees) addSelfUs(callee, sums);
}

function drawn({ call: { frame, totalUs, selfUs }, x, width, level }: Box, allUs: number, bottom: number): string {
  const y = bottom - (level + 1) * ROW_HEIGHT;
  const where = frame.place === '' ? frame.name : `${frame.name}, ${frame.place}`;
  const share = `${percentOf(totalUs, allUs)}, itself ${percentOf(selfUs, allUs)}`;
  const label = labelOf(frame, Math.floor((width - 6) / LETTER_WIDTH));
  return [
    `<g><title>${escape(`${where}: ${share}`)}</title>`,
    `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW_HEIGHT}" fill="${frame.origin.colour}"/>`,
    label === '' ? '' : `<text x="${(x + 3).toFixed(1)}" y="${y + 12}">${escape(label)}</text>`,
    '</g>',
  ].join('');
}

/** The function's name, and where there is room its file and line; only these where it has no name. */
function labelOf({ name, place }: Frame, letters: number): string {
  const line = place.slice(place.lastIndexOf('/') + 1);
  const long = `${name} ${line}`.trim();
  if (long.length <= letters) return long;
  const short = name === ANONYMOUS ? line : name;
  if (short.length <= letters) return short;
  return letters < FEWEST_LETTERS ? '' : `${short.slice(0, letters - 1)}…`;
}

function percentOf(us: number, allUs: number): string {
  return `${((100 * us) / allUs).toFixed(1)} %`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
