import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';

/**
 * Leaves in the declarations of a package what its entry points lead to: neither what only the package itself uses, nor comments on
 * private members, which no editor shows.
 * @param entries the declarations of its entry points.
 */
export function pruneDeclarations(folder: string, entries: readonly string[]): void {
  const roots = entries.map((entry) => resolve(entry));
  const program = ts.createProgram(roots, {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: [],
    noLib: true,
  });
  const files = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(`${resolve(folder)}/`));
  const wanted = statementsFrom(roots, files, program);
  const written = new Set<string>();
  for (const file of files) {
    const text = textOf(file, wanted);
    if (text === '') continue;
    writeFileSync(file.fileName, text);
    written.add(file.fileName);
  }
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = resolve(join(folder, name));
    if (path.endsWith('.d.ts') && !written.has(path)) rmSync(path);
  }
}

/** Those that declare what can be imported, and what these name in turn. */
function statementsFrom(
  roots: readonly string[],
  files: readonly ts.SourceFile[],
  program: ts.Program,
): ReadonlySet<ts.Node> {
  const checker = program.getTypeChecker();
  const wanted = new Set<ts.Node>();
  const want = (symbol: ts.Symbol | undefined): void => {
    if (!symbol) return;
    const { declarations = [] } = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    for (const declaration of declarations) {
      const statement = statementOf(declaration);
      if (!statement || wanted.has(statement) || !files.includes(statement.getSourceFile())) continue;
      wanted.add(statement);
      visit(statement);
    }
  };
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) want(checker.getSymbolAtLocation(node));
    ts.forEachChild(node, visit);
  };
  for (const file of files.filter(({ fileName }) => roots.includes(fileName))) {
    const module = checker.getSymbolAtLocation(file);
    for (const exported of module ? checker.getExportsOfModule(module) : []) want(exported);
    for (const statement of file.statements) if (ts.isExportDeclaration(statement)) wanted.add(statement);
  }
  return wanted;
}

/** Undefined of a whole file. */
function statementOf(node: ts.Node): ts.Node | undefined {
  let at = node;
  while (at.parent && !ts.isSourceFile(at.parent)) at = at.parent;
  return at.parent && at;
}

/** What is left of a file; empty when nothing is. */
function textOf(file: ts.SourceFile, wanted: ReadonlySet<ts.Node>): string {
  const kept = file.statements.filter((statement) => wanted.has(statement));
  if (kept.length === 0) return '';
  const names = new Set<string>();
  const note = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) names.add(node.text);
    ts.forEachChild(node, note);
  };
  kept.forEach(note);
  const texts = file.statements.map((statement) => {
    if (ts.isImportDeclaration(statement)) return importOf(statement, names);
    // Without it everything in the file would be exported.
    const isMarker = ts.isExportDeclaration(statement) && !statement.moduleSpecifier;
    if (!isMarker && !wanted.has(statement)) return '';
    return ts.isClassDeclaration(statement) ? withoutPrivateComments(statement) : statement.getFullText().trim();
  });
  return texts.filter((text) => text !== '').join('\n') + '\n';
}

/** With those of its names that are used; empty without any. */
function importOf(statement: ts.ImportDeclaration, names: ReadonlySet<string>): string {
  const { importClause, moduleSpecifier } = statement;
  if (!importClause) return '';
  const { name, namedBindings: bindings } = importClause;
  if (name && names.has(name.text)) return statement.getText();
  if (!bindings) return '';
  const from = `from ${moduleSpecifier.getText()};`;
  const word = importClause.isTypeOnly ? 'import type' : 'import';
  if (ts.isNamespaceImport(bindings))
    return names.has(bindings.name.text) ? `${word} ${bindings.getText()} ${from}` : '';
  const used = bindings.elements.filter(({ name }) => names.has(name.text)).map((element) => element.getText());
  return used.length === 0 ? '' : `${word} { ${used.join(', ')} } ${from}`;
}

function withoutPrivateComments(declaration: ts.ClassDeclaration): string {
  const begin = declaration.getFullStart();
  let text = declaration.getFullText();
  for (const member of [...declaration.members].reverse()) {
    const isPrivate =
      ts.canHaveModifiers(member) && member.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword);
    if (!isPrivate) continue;
    text = `${text.slice(0, member.getFullStart() - begin)}\n    ${text.slice(member.getStart() - begin)}`;
  }
  return text.trim();
}
