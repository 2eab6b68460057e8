import type { ArgumentMetadata, PipeTransform, Type } from '@nestjs/common';
import { DiscardTask } from '../../errors';
import { readerOfClass } from '../../tasks/class-payload';
import { describeProblems } from '../../tasks/payload';

/** Types by which nothing can be checked: what comes as JSON has one of them. */
const PLAIN: readonly unknown[] = [String, Boolean, Number, Array, Object, Buffer, Date, undefined];

/**
 * The first pipe of each payload whose parameter has a class: the handler gets an instance of it, and what is wrong is a dead letter
 * that names each field. What the class leaves open is kept as it came, where Nest's own ValidationPipe would drop keys such as "constructor".
 */
export class PayloadPipe implements PipeTransform {
  async transform(value: unknown, { metatype }: ArgumentMetadata): Promise<unknown> {
    if (PLAIN.includes(metatype)) return value;
    const read = await readerOfClass(metatype as Type<object>)(value ?? {});
    if (read.problems) throw new DiscardTask(describeProblems(read.problems), { code: 'INVALID_PAYLOAD' });
    return value === undefined || value === null ? value : read.payload;
  }
}
