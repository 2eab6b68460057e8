import { measuredDuring, profiling, profilingArgs } from './profiling';

const fileOf = (role: string) => `/results/flames/enqueue-${role}.cpuprofile`;

describe('the processes of a measurement', () => {
  it('are profiled, each into its own file, but not those that only help', async () => {
    const { result, profiled } = await profiling(fileOf, async () => ({
      fill: profilingArgs('fill'),
      produce: profilingArgs('produce'),
      observe: profilingArgs('observe'),
    }));
    expect(result.fill).toEqual([]);
    expect(result.produce).toEqual(
      expect.arrayContaining([
        '--cpu-prof',
        '--cpu-prof-dir=/results/flames',
        '--cpu-prof-name=enqueue-produce.cpuprofile',
      ]),
    );
    expect(profiled.processes).toEqual([
      { role: 'produce', file: fileOf('produce') },
      { role: 'observe', file: fileOf('observe') },
    ]);
  });

  it('may tell in which stretch they were measured', async () => {
    const told = await profiling(fileOf, async () => measuredDuring({ fromMs: 1, toMs: 2 }));
    expect(told.profiled.stretch).toEqual({ fromMs: 1, toMs: 2 });
    expect((await profiling(fileOf, async () => undefined)).profiled.stretch).toBeUndefined();
  });

  it('are not profiled before and after, not even after one that failed', async () => {
    expect(profilingArgs('enqueue')).toEqual([]);
    await expect(profiling(fileOf, () => Promise.reject(new Error('It broke.')))).rejects.toThrow('It broke.');
    expect(profilingArgs('enqueue')).toEqual([]);
    expect(() => measuredDuring({ fromMs: 1, toMs: 2 })).not.toThrow();
  });
});
