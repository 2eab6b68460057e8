/** Control characters beyond JSON's own, line separators, and all that is invisible or turns the direction of the text. */
const UNSEEN = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * JSON in which whatever a terminal would obey, or a reader not see, is written as \uXXXX: the same value, and what others wrote can neither
 * move the cursor nor look like something else.
 */
export function escapeUnseen(json: string): string {
  return json.replace(UNSEEN, (character) =>
    [...Array(character.length).keys()]
      .map((unit) => `\\u${character.charCodeAt(unit).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
