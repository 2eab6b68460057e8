import { IsNotEmpty, IsObject, IsString, MaxLength, registerDecorator } from 'class-validator';

/** What `webhook.deliver` needs: it posts `{type: event, timestamp, data}` to `url`. */
export class WebhookPayload {
  @IsWebhookUrl()
  @MaxLength(2_048)
  url!: string;

  @IsString()
  @IsNotEmpty()
  @MaxLength(255)
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
        defaultMessage: () => 'url must be an http or https URL without user and password',
      },
    });
}

function isWebhookUrl(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  try {
    const { protocol, username, password } = new URL(value);
    return ['http:', 'https:'].includes(protocol) && username === '' && password === '';
  } catch {
    return false;
  }
}
