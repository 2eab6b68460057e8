import { IsObject, Length, registerDecorator } from 'class-validator';

const LONGEST_URL = 2_048;

/** What `webhook.deliver` needs: it posts `{type: event, timestamp, data}` to `url`. */
export class WebhookPayload {
  @IsWebhookUrl()
  url!: string;

  @Length(1, 255, { message: 'event must be a string of 1 to 255 characters' })
  event!: string;

  @IsObject()
  data!: Record<string, unknown>;
}

/** Whether the address may be reached is decided when it is: names resolve differently by then. */
function IsWebhookUrl(): PropertyDecorator {
  return (target, propertyName) =>
    registerDecorator({
      name: 'isWebhookUrl',
      target: target.constructor,
      propertyName: String(propertyName),
      validator: {
        validate: isWebhookUrl,
        defaultMessage: () =>
          `url must be an http or https URL without user and password, of at most ${LONGEST_URL} characters`,
      },
    });
}

function isWebhookUrl(value: unknown): boolean {
  if (typeof value !== 'string' || value.length > LONGEST_URL) return false;
  try {
    const { protocol, username, password } = new URL(value);
    return ['http:', 'https:'].includes(protocol) && username === '' && password === '';
  } catch {
    return false;
  }
}
