import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { join, resolve } from 'node:path';
import { projectRoot } from './built';
import { profileUsOf } from './clock';
import { profiling } from './profiling';
import { callTreeOf, type Recording } from './report/call-tree';
import { flameGraphOf } from './report/flame';
import { FrameReader } from './report/frame';
import type { Rig } from './rig';
import type { Case, Metrics, Work } from './works/work';

/** Of one role of one case: all its processes in all rounds. */
interface Graph {
  name: string;
  title: string;
  role: string;
  processCount: number;
  recordings: (Omit<Recording, 'profile'> & { file: string })[];
}

/** With --flame: CPU profiles of what is measured, and flame graphs made of them. */
export class Flames {
  private readonly folder: string;
  private readonly frames = new FrameReader(projectRoot);
  private readonly graphs = new Map<string, Graph>();

  /** @param resultsFolder in which it makes a folder of its own. */
  constructor(
    resultsFolder: string,
    private readonly say: (line: string) => void,
  ) {
    this.folder = resolve(resultsFolder, 'flames');
    mkdirSync(this.folder, { recursive: true });
  }

  /** The same cases, but with profiles of their processes. */
  profiled(work: Work, cases: readonly Case[]): Case[] {
    return cases.map((each) => ({ ...each, measure: (rig) => this.measure(work, each, rig) }));
  }

  private async measure(work: Work, each: Case, rig: Rig): Promise<Metrics> {
    const graphOf = (role: string) => this.graphOf(work, each, role);
    const fileOf = (role: string) => {
      const graph = graphOf(role);
      graph.processCount += 1;
      return join(this.folder, `${graph.name}-${graph.processCount}.cpuprofile`);
    };
    const { result, profiled } = await profiling(fileOf, () => each.measure(rig));
    const { fromMs, toMs } = profiled.stretch ?? { fromMs: -Infinity, toMs: Infinity };
    for (const { role, file } of profiled.processes) {
      graphOf(role).recordings.push({ file, fromUs: profileUsOf(fromMs), toUs: profileUsOf(toMs) });
    }
    return result;
  }

  private graphOf({ name: work, title }: Work, each: Case, role: string): Graph {
    const name = [work, each.variant, each.row, role].map(plain).filter(Boolean).join('-');
    let graph = this.graphs.get(name);
    if (!graph) {
      const of = [each.title, each.variant].filter(Boolean).join(', ');
      graph = { name, title: `${of}. ${title}`, role, processCount: 0, recordings: [] };
      this.graphs.set(name, graph);
    }
    return graph;
  }

  /** Of all that was measured since it was called last. */
  write(): void {
    for (const graph of this.graphs.values()) this.writeGraph(graph);
    this.graphs.clear();
  }

  private writeGraph({ name, title, role, recordings }: Graph): void {
    const found = recordings.flatMap(({ file, ...stretch }) =>
      this.read(file).map((profile) => ({ ...stretch, profile })),
    );
    const tree = callTreeOf(found, (callFrame) => this.frames.read(callFrame));
    if (tree.root.totalUs === 0) return this.say(`${name}: no samples, no flame graph.`);
    writeFileSync(join(this.folder, `${name}.svg`), flameGraphOf(title, role, tree));
  }

  private read(file: string): Profiler.Profile[] {
    try {
      return [JSON.parse(readFileSync(file, 'utf8')) as Profiler.Profile];
    } catch (error) {
      // Of a process that had to be killed: what else was measured is not given up for it.
      this.say(`Without ${file}: ${String(error)}`);
      return [];
    }
  }
}

/** As a part of a file's name. */
function plain(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(',', '')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
}
