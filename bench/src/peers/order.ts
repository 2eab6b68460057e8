import { IsBoolean, IsInt, IsObject, IsOptional, IsString } from 'class-validator';

/** What the handlers of Nest validate, both alike. */
export class Order {
  /** Mercury's handlers do not get it again beside the task's own type. */
  @IsOptional() @IsString() type?: string;
  @IsInt() orderId!: number;
  @IsObject() customer!: object;
  @IsInt() totalCents!: number;
  @IsBoolean() isGift!: boolean;
  @IsString() note!: string;
  /** When it was put, in the works that measure latency. */
  @IsOptional() atMs?: number;
}
