import { Box } from "@chakra-ui/react";

/** How far a link is indented for each depth, in pixels; and where its own line bends. */
export const INDENT = 20;
const BEND = 20;

type RailsProps = {
  readonly depth: number;
  /** Of each depth, whether its line goes on below. */
  readonly goesOn: readonly boolean[];
  readonly isBroken: boolean;
  /** No set hangs here: the lines go through. */
  readonly isPlain?: boolean;
};

/** The lines by which a set hangs under another; what cannot be restored hangs on a broken one. */
export const Rails = ({ depth, goesOn, isBroken, isPlain = false }: RailsProps) => {
  const color = isBroken ? "failed.solid" : "border.emphasized";
  const style = isBroken ? "dashed" : "solid";

  return (
    <Box aria-hidden="true" data-broken={isBroken} data-testid="rails">
      {goesOn.map((isOn, level) => {
        const isOwn = level === depth - 1;
        const start = `${level * INDENT + INDENT}px`;

        return isOn || isOwn ? (
          <Box
            borderColor={isOwn ? color : "border.emphasized"}
            borderStartWidth="2px"
            borderStyle={isOwn ? style : "solid"}
            bottom={isOn ? "0" : undefined}
            height={isOn ? undefined : `${BEND}px`}
            insetInlineStart={start}
            key={level}
            position="absolute"
            top="0"
          />
        ) : undefined;
      })}
      {isPlain ? undefined : (
        <Box
          borderColor={color}
          borderStyle={style}
          borderTopWidth="2px"
          insetInlineStart={`${depth * INDENT}px`}
          position="absolute"
          top={`${BEND}px`}
          width="10px"
        />
      )}
    </Box>
  );
};
