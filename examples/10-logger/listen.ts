import { Logger, type JsonObject } from '@mercury/messaging';
import { rabbitUrl, untilCtrlC } from '../lesson';

/** The bus of example 05 with the two levels built in: one method for each. */
class PrintingLogger extends Logger {
  override handleInfo(data: JsonObject): void {
    console.log(`info ${JSON.stringify(data)}`);
  }

  override handleCritical(data: JsonObject): void {
    console.log(`critical ${JSON.stringify(data)}`);
  }
}

/** Prints the events of both levels, as does every other listener on the same bus. */
export default async function listen(): Promise<void> {
  await using logger = new PrintingLogger({ rabbitUrl, name: 'logger_metaclass' });
  // Subscribes: declares a temporary queue and binds it with both levels. From here on no event is missed.
  await logger.start();
  console.log('Waiting for events. To exit press Ctrl-C');
  await untilCtrlC();
}
