import color from 'picocolors';

const BAR_WIDTH = 40;

/** What the demo prints: a heading per act, lines as things happen, and one line that moves. */
export class Screen {
  private moving = '';
  private readonly canMove = process.stdout.isTTY === true;

  heading(text: string): void {
    this.print(`\n${color.bold(color.cyan(text))}`);
  }

  line(text: string): void {
    this.print(`  ${text}`);
  }

  /** Of one of the parts, as it happens. */
  from(part: string, text: string): void {
    this.print(`  ${color.dim(`${part.padEnd(8)} |`)} ${text}`);
  }

  good(text: string): void {
    this.print(`  ${color.green('✔')} ${text}`);
  }

  bad(text: string): void {
    this.print(`  ${color.red('✘')} ${text}`);
  }

  /** Replaces the line before, in a terminal; elsewhere each change is a line. */
  bar(waiting: number, running: number, done: number): void {
    const cells = (count: number, total: number) => Math.round((count / total) * BAR_WIDTH);
    const total = Math.max(waiting + running + done, 1);
    const parts = [
      color.green('█'.repeat(cells(done, total))),
      color.yellow('▓'.repeat(cells(running, total))),
      color.dim('░'.repeat(cells(waiting, total))),
    ];
    const text = `  ${parts.join('')}  waiting ${waiting}  running ${running}  done ${done}`;
    if (text === this.moving) return;
    process.stdout.write(this.canMove ? `\r\x1b[2K${text}` : `${text}\n`);
    this.moving = text;
  }

  print(text: string): void {
    if (this.moving !== '' && this.canMove) process.stdout.write('\n');
    this.moving = '';
    process.stdout.write(`${text}\n`);
  }
}
