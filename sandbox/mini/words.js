// Chinese first, English on request; the reader's choice is kept in this browser. Each part of the page brings words of its own.

let language = localStorage.getItem("language") === "en" ? "en" : "zh";
const listeners = new Set();

export const isChinese = () => language === "zh";

// define({zh: {...}, en: {...}}) gives a function that tells the words in the language of the moment. A part may lack an English word; it is
// said in Chinese then.
export function define(tables) {
  const english = { ...tables.zh, ...tables.en };
  return () => (language === "zh" ? tables.zh : english);
}

// Look up a word in a small table; what has no word is shown as it is.
export const named = (table, name) => table[name] ?? name;

export const whenLanguageChanges = (listener) => listeners.add(listener);

export function speak() {
  document.documentElement.lang = isChinese() ? "zh-CN" : "en";
}

export function switchLanguage() {
  language = isChinese() ? "en" : "zh";
  localStorage.setItem("language", language);
  speak();
  for (const listener of listeners) listener();
}
