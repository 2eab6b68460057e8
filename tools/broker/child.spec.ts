import { run } from './child';
import { ToolError } from './project';

const node = (program: string, ...args: string[]) => run(process.execPath, ['-e', program, ...args]);

describe('run', () => {
  it('resolves to what the program prints, without what it says on stderr', async () => {
    await expect(node('console.log("out"); console.error("err")')).resolves.toBe('out\n');
  });

  it('passes arguments as they are: no shell reads them', async () => {
    await expect(node('process.stdout.write(process.argv[1])', '$(id) "; `')).resolves.toBe('$(id) "; `');
  });

  it('fails with the end of what the program says', async () => {
    const failing = node('for (let line = 1; line <= 20; line++) console.error(`line ${line}`); process.exitCode = 3');
    await expect(failing).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      message: expect.stringMatching(/ended with 3: line 13\n(line \d+\n){6}line 20$/) as string,
    });
  });

  it('takes what was printed where stderr says nothing', async () => {
    await expect(node('console.log("why"); process.exitCode = 1')).rejects.toThrow(/ended with 1: why$/);
  });

  it('names the signal that ended the program', async () => {
    await expect(node('process.kill(process.pid, "SIGKILL")')).rejects.toThrow('ended with SIGKILL');
  });

  it('fails for a program that does not exist, with the reason', async () => {
    const error: unknown = await run('/nowhere/program', []).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ToolError);
    expect(error).toMatchObject({ code: 'COMMAND_FAILED', cause: { code: 'ENOENT' } });
  });
});
