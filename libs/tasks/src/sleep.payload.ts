import { IsInt, Max, Min } from 'class-validator';

/** What `sleep` needs: for how long it holds a slot of the worker. For demonstrations. */
export class SleepPayload {
  @IsInt()
  @Min(0)
  @Max(600_000)
  ms!: number;
}
