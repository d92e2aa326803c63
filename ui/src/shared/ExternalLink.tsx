import { Flex, Link } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { External } from "./icons";

type ExternalLinkProps = { readonly children: ReactNode; readonly href: string };

/** Leads away from the page, to one of Airflow's own. */
export const ExternalLink = ({ children, href }: ExternalLinkProps) => (
  <Link alignSelf="start" color="fg.info" fontSize="xs" href={href} width="fit-content">
    <Flex align="center" as="span" gap="1">
      {children}
      <External />
    </Flex>
  </Link>
);
