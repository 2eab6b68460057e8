import { compile, type TopLevelSpec } from 'vega-lite';
import { View, parse } from 'vega';
import type { Scale, Work } from '../works/work';
import type { Samples } from './samples';

interface Bar {
  row: string;
  median: number;
  least: number;
  most: number;
}

/** An SVG: for each work and metric a bar per row, with a line from the least to the most of the rounds. */
export async function plotOf(works: readonly Work[], scale: Scale, samples: Samples): Promise<string> {
  const panels = works.flatMap((work) =>
    work.columns
      .filter(({ hasRatio }) => hasRatio)
      .map(({ metric, heading }) => panelOf(`${work.name}: ${heading}`, barsOf(work, metric, scale, samples))),
  );
  const spec: TopLevelSpec = {
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    config: { view: { stroke: null }, background: 'white', title: { anchor: 'start' } },
    columns: 2,
    concat: panels,
  };
  return new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG();
}

function panelOf(title: string, bars: readonly Bar[]) {
  const y = { field: 'row', type: 'nominal' as const, sort: null, title: null };
  return {
    title,
    width: 360,
    data: { values: [...bars] },
    layer: [
      {
        mark: { type: 'bar' as const },
        encoding: {
          y,
          x: { field: 'median', type: 'quantitative' as const, title: null },
          color: {
            condition: { test: "indexof(datum.row, 'Mercury') >= 0", value: '#c2410c' },
            value: '#94a3b8',
          },
        },
      },
      {
        mark: { type: 'rule' as const },
        encoding: { y, x: { field: 'least', type: 'quantitative' as const }, x2: { field: 'most' } },
      },
    ],
  };
}

function barsOf(work: Work, metric: string, scale: Scale, samples: Samples): Bar[] {
  return work.casesOf(scale).flatMap(({ variant, row, title }) => {
    const spread = samples.spread({ work: work.name, variant, row, metric });
    return spread ? [{ row: [title, variant].join(' ').trim(), ...spread }] : [];
  });
}
