import type { Call } from './call-tree';
import { flameGraphOf } from './flame';
import { FrameReader } from './frame';

const reader = new FrameReader('/project');

function call(name: string, url: string, selfUs: number, ...callees: Call[]): Call {
  const lineNumber = url === '' ? -1 : 11;
  const frame = reader.read({ functionName: name, scriptId: '1', url, lineNumber, columnNumber: 0 });
  return { frame, selfUs, totalUs: callees.reduce((sum, { totalUs }) => sum + totalUs, selfUs), callees };
}

const MERCURY = '/project/libs/messaging/src/tasks/codec.ts';
const AMQPLIB = '/project/node_modules/amqplib/lib/frame.js';

const graphOf = (...callees: Call[]) =>
  flameGraphOf('Enqueue', 'enqueue', { root: call('all', '', 0, ...callees), idleUs: 3_000 });

/** What is drawn for a function: its tooltip, where, in which colour, and the text in it. */
function boxesOf(svg: string) {
  const pattern =
    /<g><title>(.*?)<\/title><rect x="(.*?)" y="(.*?)" width="(.*?)" .*?fill="(.*?)"\/>(?:<text .*?>(.*?)<\/text>)?<\/g>/g;
  return [...svg.matchAll(pattern)].map(([, tooltip = '', x, y, width, colour, text]) => ({
    ...{ name: tooltip.split(/[,:]/)[0], tooltip, colour, text },
    ...{ x: Number(x), y: Number(y), width: Number(width) },
  }));
}

const boxOf = (svg: string, name: string) => boxesOf(svg).find((box) => box.name === name);

describe('a flame graph', () => {
  const svg = graphOf(
    call('put', MERCURY, 100, call('encode', MERCURY, 300), call('write', AMQPLIB, 400)),
    call('(garbage collector)', '', 200),
  );

  it('draws each function as wide as its share, callees upon their caller, the widest first', () => {
    const all = boxOf(svg, 'all');
    const put = boxOf(svg, 'put');
    expect([all?.x, all?.width]).toEqual([10, 1_180]);
    expect([put?.x, put?.width, put?.y]).toEqual([10, 944, (all?.y ?? 0) - 17]);
    const upon = { y: (put?.y ?? 0) - 17 };
    expect(boxOf(svg, 'write')).toMatchObject({ ...upon, x: 10, width: 472 });
    expect(boxOf(svg, 'encode')).toMatchObject({ ...upon, x: 482, width: 354 });
    expect(boxOf(svg, '(garbage collector)')).toMatchObject({ y: put?.y, x: 954, width: 236 });
  });

  it('tells in a tooltip the function, its place and its share', () => {
    expect(boxOf(svg, 'put')?.tooltip).toBe('put, libs/messaging/src/tasks/codec.ts:12: 80.0 %, itself 10.0 %');
    expect(boxOf(svg, '(garbage collector)')?.tooltip).toBe('(garbage collector): 20.0 %, itself 20.0 %');
  });

  it('colours by where the code is from, as its legend says, with the share of each', () => {
    const legend = [...svg.matchAll(/<rect [^>]*height="12" fill="(.*?)"\/><text .*?>(.*?)<\/text>/g)];
    expect(legend.map(([, , text]) => text)).toEqual(['Mercury 40.0 %', 'amqplib 40.0 %', 'native code, GC 20.0 %']);
    const colours = ['put', 'write', '(garbage collector)'].map((name) => boxOf(svg, name)?.colour);
    expect(legend.map(([, colour]) => colour)).toEqual(colours);
    expect(new Set(colours).size).toBe(3);
  });

  it('says what was idle', () => {
    expect(svg).toContain('idle time, 75.0 %, is left out');
  });

  it('is as high as its highest stack, and needs no script', () => {
    expect(svg).toContain(`viewBox="0 0 1200 ${78 + 3 * 17 + 10}"`);
    expect(svg).not.toMatch(/<script|onclick|href/);
  });
});

describe('a box', () => {
  it('has the name that fits into it', () => {
    const name = 'aFunctionWithALongName';
    const textOf = (share: number) =>
      boxOf(graphOf(call(name, MERCURY, share), call('rest', AMQPLIB, 1_000 - share)), name)?.text;
    expect([400, 150, 60, 20].map(textOf)).toEqual([`${name} codec.ts:12`, name, 'aFunctio…', undefined]);
  });

  it('of a function without a name has its file and line', () => {
    const svg = graphOf(call('', MERCURY, 100), call('rest', AMQPLIB, 900));
    expect(boxOf(svg, '(anonymous)')?.text).toBe('codec.ts:12');
  });

  it('below 0.1 % is not drawn, nor is what it calls', () => {
    const svg = graphOf(
      call('large', MERCURY, 99_850),
      call('seen', MERCURY, 100),
      call('unseen', MERCURY, 0, call('above', MERCURY, 50)),
    );
    expect(boxesOf(svg).map(({ name }) => name)).toEqual(['all', 'large', 'seen']);
  });

  it('of a function whose name has signs of XML is still one', () => {
    expect(boxOf(graphOf(call('<a & b>', MERCURY, 1)), '&lt;a &amp; b&gt;')?.text).toBe(
      '&lt;a &amp; b&gt; codec.ts:12',
    );
  });
});
